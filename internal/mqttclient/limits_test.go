package mqttclient_test

import (
	"bytes"
	"testing"
	"time"

	"camqtt/internal/mqttclient"
	"camqtt/internal/testkit"
	"camqtt/internal/wire"
)

// limited is a link with a retained will that tells of the limits it has learned.
func limited(t *testing.T, m *testkit.Mosquitto) (*mqttclient.Link, chan mqttclient.Limits) {
	t.Helper()
	told := make(chan mqttclient.Limits, 10)
	return serve(t, mqttclient.Options{
		URLs: []string{"mqtt://" + m.Addr}, ClientID: "cam-porch-1", MinBackoff: 10 * time.Millisecond,
		Will:   &wire.Message{Topic: "cam/porch/status", Payload: []byte("offline"), QoS: 1, Retained: true},
		Limits: func(x mqttclient.Limits) { told <- x },
	}), told
}

// A broker that ends the connection over a large message is asked, with MQTT 5, how
// large a message may be.
func TestPacketLimitIsLearned(t *testing.T) {
	l, told := limited(t, testkit.StartMosquitto(t, "max_packet_size 100000"))
	await(t, l)
	testkit.Until(t, "the limit is told", func() bool { // as a live camera sends again and again
		if len(told) == 0 {
			err := l.Publish(t.Context(), wire.Message{Topic: "cam/porch/frame", Payload: bytes.Repeat([]byte{1}, 200_000)})
			t.Logf("a message above the limit: %v", err) // it may leave before the end is noticed
		}
		return len(told) > 0
	})
	if got := <-told; got != (mqttclient.Limits{MaxPacket: 100_000}) {
		t.Errorf("limits %+v, want 100000 bytes", got)
	}
	testkit.Until(t, "a message below the limit is taken", func() bool { // once the connection is up again
		return l.Publish(t.Context(), wire.Message{Topic: "cam/porch/event", QoS: 1, Payload: bytes.Repeat([]byte{1}, 99_000)}) == nil
	})
	if n := l.Connects(); n < 2 {
		t.Errorf("%d connections, want a second one", n)
	}
}

// A broker that refuses retained messages also refuses a connection with a retained
// will. It gets the same messages without the flag.
func TestBrokerWithoutRetain(t *testing.T) {
	l, told := limited(t, testkit.StartMosquitto(t, "retain_available false"))
	if got := <-told; got != (mqttclient.Limits{NoRetain: true}) {
		t.Errorf("limits %+v, want no retained messages", got)
	}
	await(t, l)
	if err := l.Publish(t.Context(), wire.Message{Topic: "cam/porch/status", QoS: 1, Retained: true, Payload: []byte("online")}); err != nil {
		t.Errorf("publish: %v", err)
	}
}

// Where it is known beforehand, nothing has to be found out.
func TestNoRetain(t *testing.T) {
	m := testkit.StartMosquitto(t, "retain_available false")
	l := serve(t, mqttclient.Options{
		URLs: []string{"mqtt://" + m.Addr}, ClientID: "cam-porch-1", NoRetain: true, OneShot: true,
		Will: &wire.Message{Topic: "cam/porch/status", Payload: []byte("offline"), QoS: 1, Retained: true},
	})
	await(t, l)
	if err := l.Publish(t.Context(), wire.Message{Topic: "cam/porch/status", QoS: 1, Retained: true, Payload: []byte("online")}); err != nil {
		t.Errorf("publish: %v", err)
	}
}
