package mqttclient_test

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"time"

	"camqtt/internal/mqttclient"
	"camqtt/internal/testkit"
	"camqtt/internal/wire"
)

// Who ends while the broker takes its time has not said his last word: the broker says
// it, as will. Who could say it leaves in peace, whatever else got lost before.
func TestLastWordUnsaid(t *testing.T) {
	m := testkit.StartMosquitto(t)
	last := wire.Message{Topic: "status/a", Payload: []byte("offline"), QoS: 1, Retained: true}
	word := func(text string) wire.Message {
		return wire.Message{Topic: last.Topic, Payload: []byte(text), QoS: 1, Retained: true}
	}
	// leave says something that is lost, perhaps a last word, and ends.
	leave := func(said bool) {
		l, err := mqttclient.New(mqttclient.Options{URLs: []string{"mqtt://" + m.Addr}, ClientID: "a", Log: testkit.Log(t), Will: &last})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- l.Serve(ctx) }() // ends with stop
		await(t, l)
		if err := l.Publish(t.Context(), word("online")); err != nil {
			t.Fatal(err)
		}
		hang(t, m, syscall.SIGSTOP)
		late, giveUp := context.WithTimeout(t.Context(), 50*time.Millisecond)
		if err := l.Publish(late, wire.Message{Topic: "state/a", QoS: 1}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a broker that hangs acknowledged: %v", err)
		}
		giveUp()
		if said {
			hang(t, m, syscall.SIGCONT)
			if err := l.Publish(t.Context(), word("left")); err != nil {
				t.Fatal(err)
			}
		}
		stop()
		<-done
		hang(t, m, syscall.SIGCONT)
	}
	var b box
	eye := serve(t, mqttclient.Options{URLs: []string{"mqtt://" + m.Addr}, ClientID: "eye", Receive: b.put, Subscriptions: []mqttclient.Subscription{{Filter: "#", QoS: 1}}})
	await(t, eye)
	said := func(text string) (n int) {
		for _, m := range b.all() {
			if m.Topic == last.Topic && string(m.Payload) == text {
				n++
			}
		}
		return n
	}
	leave(false)
	testkit.Until(t, "the broker says the last word", func() bool { return said("offline") == 1 })
	leave(true)
	leave(true) // is taken in when the broker has dealt with the one before
	testkit.Until(t, "both have left by themselves", func() bool { return said("left") == 2 })
	if n := said("offline"); n != 1 {
		t.Errorf("%d wills, want none of those who have said their last word", n)
	}
}

func hang(t *testing.T, m *testkit.Mosquitto, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(m.Pid(), s); err != nil {
		t.Fatal(err)
	}
}
