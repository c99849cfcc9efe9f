package mqttclient_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"camqtt/internal/mqttclient"
	"camqtt/internal/testkit"
	"camqtt/internal/testkit/faketime"
	"camqtt/internal/wire"
)

// box collects what a link receives.
type box struct {
	mu  sync.Mutex
	got []wire.Message
}

func (b *box) put(m wire.Message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	m.Payload = bytes.Clone(m.Payload)
	b.got = append(b.got, m)
}

func (b *box) all() []wire.Message {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]wire.Message(nil), b.got...)
}

// serve runs a link until the test ends.
func serve(t *testing.T, o mqttclient.Options) *mqttclient.Link {
	t.Helper()
	if o.Log == nil {
		o.Log = testkit.Log(t)
	}
	l, err := mqttclient.New(o)
	if err != nil {
		t.Fatal(err)
	}
	testkit.Serve(t, l)
	return l
}

func await(t *testing.T, l *mqttclient.Link) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Patience)
	defer cancel()
	if err := l.Await(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestPublishSubscribe(t *testing.T) {
	m := testkit.StartMosquitto(t)
	var b box
	l := serve(t, mqttclient.Options{
		URLs: []string{"mqtt://" + m.Addr}, ClientID: "a", Receive: b.put,
		Subscriptions: []mqttclient.Subscription{{Filter: "x/+", QoS: 1}},
	})
	await(t, l)
	picture := bytes.Repeat([]byte{0xff, 0xd8}, 200_000)
	err := l.Publish(t.Context(), wire.Message{Topic: "x/1", Payload: []byte("one"), QoS: 1, Retained: true}, wire.Message{Topic: "x/2", Payload: picture})
	if err != nil {
		t.Fatal(err)
	}
	testkit.Until(t, "both messages came", func() bool { return len(b.all()) == 2 })
	got := b.all()
	if got[0].Topic != "x/1" || string(got[0].Payload) != "one" || !bytes.Equal(got[1].Payload, picture) {
		t.Errorf("got %s and %s", got[0].Topic, got[1].Topic)
	}

	if err := <-l.Subscribe(t.Context(), mqttclient.Subscription{Filter: "y", QoS: 1}); err != nil {
		t.Fatal(err)
	}
	if err := l.Publish(t.Context(), wire.Message{Topic: "y", QoS: 1}); err != nil {
		t.Fatal(err)
	}
	testkit.Until(t, "the message on y came", func() bool { return len(b.all()) == 3 })
	l.Unsubscribe("y")
	if err := l.Publish(t.Context(), wire.Message{Topic: "y", QoS: 1}, wire.Message{Topic: "x/3", QoS: 1}); err != nil {
		t.Fatal(err)
	}
	testkit.Until(t, "x/3 came", func() bool { all := b.all(); return all[len(all)-1].Topic == "x/3" })
	if n := len(b.all()); n != 4 {
		t.Errorf("%d messages, want none on y after unsubscribing", n)
	}
}

// TestHeals restarts the broker: the link comes back with its subscriptions,
// and what was published meanwhile failed at once.
func TestHeals(t *testing.T) {
	m := testkit.StartMosquitto(t)
	var (
		b  box
		mu sync.Mutex
		ud []string
	)
	note := func(s string) { mu.Lock(); defer mu.Unlock(); ud = append(ud, s) }
	l := serve(t, mqttclient.Options{
		URLs: []string{"mqtt://" + m.Addr}, ClientID: "a", Receive: b.put, MinBackoff: 10 * time.Millisecond, MaxBackoff: 50 * time.Millisecond,
		Subscriptions: []mqttclient.Subscription{{Filter: "x", QoS: 1}},
		Up:            func() { note("up") }, Down: func(error) { note("down") },
	})
	await(t, l)
	m.Stop()
	testkit.Until(t, "the link is down", func() bool { return !l.Connected() })
	if err := l.Publish(t.Context(), wire.Message{Topic: "x", Payload: []byte("lost")}); !errors.Is(err, mqttclient.ErrDown) {
		t.Errorf("publish while down: %v, want ErrDown", err)
	}
	if err := <-l.Subscribe(t.Context(), mqttclient.Subscription{Filter: "later", QoS: 1}); err != nil {
		t.Errorf("subscribe while down: %v", err)
	}
	m.Start()
	await(t, l)
	if err := l.Publish(t.Context(), wire.Message{Topic: "x", Payload: []byte("back"), QoS: 1}, wire.Message{Topic: "later", QoS: 1}); err != nil {
		t.Fatal(err)
	}
	testkit.Until(t, "messages flow again", func() bool { return len(b.all()) == 2 })
	if got := b.all(); string(got[0].Payload) != "back" || got[1].Topic != "later" {
		t.Errorf("got %v: what was published while down must be gone", got)
	}
	said := func() string { mu.Lock(); defer mu.Unlock(); return strings.Join(ud, " ") }
	testkit.Until(t, "it is said to be up again", func() bool { return said() != "up down" }) // which who awaits it may know before
	if said() != "up down up" || l.Connects() != 2 {
		t.Errorf("callbacks %s, %d connects", said(), l.Connects())
	}
}

func TestWill(t *testing.T) {
	m := testkit.StartMosquitto(t)
	var b box
	eye := serve(t, mqttclient.Options{URLs: []string{"mqtt://" + m.Addr}, ClientID: "eye", Receive: b.put, Subscriptions: []mqttclient.Subscription{{Filter: "will/+", QoS: 1}}})
	await(t, eye)
	connect := func(name string) (conn net.Conn, stop func()) {
		conns := make(chan net.Conn, 1)
		l, err := mqttclient.New(mqttclient.Options{
			ClientID: name, Log: testkit.Log(t), Will: &wire.Message{Topic: "will/" + name, Payload: []byte("gone"), QoS: 1, Retained: true},
			Dial: func(ctx context.Context) (net.Conn, error) {
				c, err := new(net.Dialer).DialContext(ctx, "tcp", m.Addr)
				if err == nil {
					conns <- c
				}
				return c, err
			},
			MinBackoff: time.Hour,
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- l.Serve(ctx) }()
		await(t, l)
		return <-conns, func() { cancel(); <-done }
	}
	_, polite := connect("polite")
	polite()
	rude, stop := connect("rude")
	rude.Close()
	testkit.Until(t, "a will came", func() bool { return len(b.all()) > 0 })
	stop()
	if got := b.all(); len(got) != 1 || got[0].Topic != "will/rude" {
		t.Errorf("wills %v, want only that of the broken connection", got)
	}
}

func TestOneShot(t *testing.T) {
	l, err := mqttclient.New(mqttclient.Options{URLs: []string{fmt.Sprintf("mqtt://127.0.0.1:%d", testkit.FreePort(t))}, ClientID: "a", OneShot: true, Log: testkit.Log(t)})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Serve(t.Context()); err == nil || !strings.Contains(err.Error(), "connect to mqtt://127.0.0.1:") || !strings.Contains(err.Error(), "refused") {
		t.Errorf("got %v, want where it connected and why not", err)
	}
}

func TestCredentials(t *testing.T) {
	file := t.TempDir() + "/passwords"
	if _, stderr, status := testkit.Run(t, testkit.Tool(t, "mosquitto_passwd"), "-b", "-c", file, "cam", "s3cret"); status != 0 {
		t.Fatal(stderr)
	}
	m := testkit.StartMosquitto(t, "password_file "+file, "user root")
	m.Stop() // the last word on allow_anonymous counts
	good := serve(t, mqttclient.Options{URLs: []string{"mqtt://cam:s3cret@" + m.Addr}, ClientID: "good", MinBackoff: 10 * time.Millisecond})
	m.Start()
	await(t, good)
	bad, err := mqttclient.New(mqttclient.Options{URLs: []string{"mqtt://cam:wr0ng@" + m.Addr}, ClientID: "bad", OneShot: true, Log: testkit.Log(t)})
	if err != nil {
		t.Fatal(err)
	}
	err = bad.Serve(t.Context())
	if err == nil || !strings.Contains(err.Error(), "refused the user name or password") || strings.Contains(err.Error(), "wr0ng") {
		t.Errorf("wrong password: %v", err)
	}
}

// TestSlowRefusal has a broker that takes its time to refuse: it is not asked more
// often for it, the pauses grow.
func TestSlowRefusal(t *testing.T) {
	faketime.Run(t, func(t *testing.T) {
		var tries atomic.Int64
		l, err := mqttclient.New(mqttclient.Options{
			ClientID: "a", Username: "u", Password: "p", Log: testkit.Log(t),
			Dial: func(context.Context) (net.Conn, error) {
				near, far := net.Pipe()
				go func() { // ends when it has refused, or the link does not listen
					defer far.Close()
					tries.Add(1)
					_, _ = far.Read(make([]byte, 1024))
					time.Sleep(3 * time.Second)
					_, _ = far.Write([]byte{0x20, 2, 0, 4})
				}()
				return near, nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		if err := l.Serve(ctx); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Minute) // a try that had begun ends by itself
		// 33 s a try at most, half of the pause at least.
		if n := tries.Load(); n < 15 || n > 45 {
			t.Errorf("%d tries in ten minutes", n)
		}
	})
}

// refusing is a broker that refuses every subscription.
func refusing(context.Context) (net.Conn, error) {
	near, far := net.Pipe()
	go func() { // ends with the pipe
		defer far.Close()
		buf := make([]byte, 256)
		for {
			n, err := far.Read(buf)
			if err != nil {
				return
			}
			switch buf[0] >> 4 {
			case 1:
				far.Write([]byte{0x20, 2, 0, 0})
			case 8:
				far.Write([]byte{0x90, 3, buf[2], buf[3], 0x80})
			}
			_ = n
		}
	}()
	return near, nil
}

// TestRefusedSubscription asks for more than the broker allows: that must not
// look like a connection on which nothing happens.
func TestRefusedSubscription(t *testing.T) {
	l, err := mqttclient.New(mqttclient.Options{
		ClientID: "a", OneShot: true, Log: testkit.Log(t), Subscriptions: []mqttclient.Subscription{{Filter: "secret/#", QoS: 1}},
		Dial: refusing,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Serve(t.Context()); err == nil || !strings.Contains(err.Error(), "secret/#") || !strings.Contains(err.Error(), "refused") {
		t.Errorf("got %v, want which filter was refused", err)
	}
}

func TestRefusedOptionalSubscription(t *testing.T) {
	l := serve(t, mqttclient.Options{
		ClientID: "a", Dial: refusing, Subscriptions: []mqttclient.Subscription{{Filter: "secret/#", QoS: 1, Optional: true}},
	})
	await(t, l)
	if l.Connects() != 1 {
		t.Errorf("connected %d times, want once", l.Connects())
	}
}

// TestSilentBroker talks to something that accepts and never answers.
func TestSilentBroker(t *testing.T) {
	near, far := net.Pipe()
	defer far.Close()
	go io.Copy(io.Discard, far) // ends with the pipe
	l, err := mqttclient.New(mqttclient.Options{
		ClientID: "a", OneShot: true, Log: testkit.Log(t), Timeout: 50 * time.Millisecond,
		Dial: func(context.Context) (net.Conn, error) { return near, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Serve(t.Context()); err == nil {
		t.Error("no error from a broker that never answers")
	}
}
