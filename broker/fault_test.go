package broker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"camqtt/internal/access"
	"camqtt/internal/clientip"
	"camqtt/internal/testkit"
)

// A broken SUBSCRIBE ends its own connection, which leaves nothing behind but its will.
func TestBrokenSubscribeCostsOneConnection(t *testing.T) {
	b := start(t, Options{})
	watch := join(t, b.addr, "watch", 4)
	watch.subscribe(t, 0, "w")
	c := join(t, b.addr, "bad", 5, withWill("w", "gone", false))
	c.subscribe(t, 0, "x")
	_, _ = c.c.Write([]byte{0x82, 6, 0, 1, 0, 0, 1, 'p'}) // no options byte
	if got := watch.message(t); string(got.Payload) != "gone" {
		t.Errorf("will %q, wanted gone", got.Payload)
	}
	c.closedBy(t)
	testkit.Until(t, "session removed", func() bool { return b.sessions.get("bad") == nil })
	if n := receivers(b.subs, "x"); n != 0 {
		t.Errorf("%d subscriptions left, wanted 0", n)
	}
	if n := b.Stats().Recovered; n != 0 {
		t.Errorf("Recovered %d, wanted 0: the packet is checked first", n)
	}
	join(t, b.addr, "next", 5).sync(t)
}

// Receive Maximum bounds what is unacknowledged, and a slow client does not stop the
// broker.
func TestReceiveMaximum(t *testing.T) {
	const quota, publishers, each = 7, 4, 1000
	b := start(t, Options{Limits: Limits{Queue: publishers * each}})
	sub := join(t, b.addr, "sub", 5, func(p *packets.Packet) { p.Properties.ReceiveMaximum = quota })
	sub.subscribe(t, 1, "q")
	var wg sync.WaitGroup
	for i := range publishers {
		c := join(t, b.addr, fmt.Sprintf("pub%d", i), 4)
		wg.Go(func() { // ends after its messages
			for range each {
				c.id++
				_ = c.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: 1}, TopicName: "q", Payload: []byte("x"), PacketID: c.id})
				if _, err := c.recv(testkit.Patience); err != nil {
					t.Errorf("no PUBACK: %v", err)
					return
				}
			}
		})
	}
	for n := 0; n < publishers*each; {
		var open []packets.Packet
		for len(open) < min(quota, publishers*each-n) {
			open = append(open, sub.want(t, packets.Publish))
		}
		n += len(open)
		if n < 100*quota { // nothing more may come, though more waits
			testkit.Until(t, "more waits", b.sessions.get("sub").hasWaiting)
			_ = sub.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Pingreq}})
			if pk, err := sub.recv(testkit.Patience); err != nil || pk.FixedHeader.Type != packets.Pingresp {
				t.Fatalf("got %s, %v with %d unacknowledged, Receive Maximum is %d", packets.PacketNames[pk.FixedHeader.Type], err, len(open), quota)
			}
		}
		for _, pk := range open {
			sub.ack(pk)
		}
	}
	wg.Wait()
}

// flaky is a listener whose Accept fails like one that has run out of descriptors.
type flaky struct {
	net.Listener
	fails atomic.Int32
}

func (f *flaky) Accept() (net.Conn, error) {
	if f.fails.Add(-1) >= 0 {
		return nil, &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", errors.New("too many open files"))}
	}
	return f.Listener.Accept()
}

// A listener goes on after an error of Accept.
func TestAcceptGoesOnAfterErrors(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &flaky{Listener: l}
	f.fails.Store(4)
	b, err := New(Options{Listeners: []net.Listener{f}, Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	serve(t, b, l.Addr().String())
	join(t, l.Addr().String(), "c", 4).sync(t)
}

// A listener closed under the broker is an error, not a busy loop or silence.
func TestServeEndsWhenListenerIsClosed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b, err := New(Options{Listeners: []net.Listener{l}, Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- b.Serve(context.Background()) }() // ends with the listener
	<-b.up
	_ = l.Close()
	select {
	case err := <-done:
		if !errors.Is(err, net.ErrClosed) {
			t.Errorf("Serve: %v, wanted net.ErrClosed", err)
		}
	case <-time.After(testkit.Patience):
		t.Fatal("Serve still runs")
	}
}

// Fails without the deadline of newConn, or when a byte now and then renews it.
func TestConnectDeadline(t *testing.T) {
	b := start(t, Options{Limits: Limits{ConnectTime: 300 * time.Millisecond}})
	begun := time.Now() // before the broker begins to wait
	silent, slow := dial(t, b.addr), dial(t, b.addr)
	go func() { // ends when the connection is closed
		for _, x := range []byte{0x10, 60, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 60, 0, 48, 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a'} {
			if _, err := slow.c.Write([]byte{x}); err != nil {
				return
			}
			<-time.After(50 * time.Millisecond)
		}
	}()
	silent.closedBy(t)
	slow.closedBy(t)
	if d := time.Since(begun); d < 250*time.Millisecond {
		t.Errorf("closed after %s already", d)
	}
	testkit.Until(t, "both counted as refused", func() bool { return b.Stats().Refused == 2 })
}

// What a header announces is not allocated before it has come.
func TestAnnouncedSizes(t *testing.T) {
	b := start(t, Options{Limits: Limits{ConnectTime: time.Hour, PacketTime: time.Hour}})
	for name, tc := range map[string]struct {
		joined bool
		head   []byte
	}{
		"CONNECT":      {false, []byte{0x10, 0xff, 0xff, 0xff, 0x7f}},
		"PUBLISH":      {true, []byte{0x30, 0xff, 0xff, 0xff, 0x7f}},
		"PUBLISH QoS1": {true, []byte{0x32, 0xff, 0xff, 0xff, 0x7f}},
		"SUBSCRIBE":    {true, []byte{0x82, 0xff, 0xff, 0x7f}},
		"length":       {true, []byte{0x30, 0x80, 0x80, 0x80, 0x80}},
	} {
		c := dial(t, b.addr)
		if tc.joined {
			c = join(t, b.addr, "c", 4)
		}
		_, _ = c.c.Write(tc.head)
		c.closedBy(t)
		if t.Failed() {
			t.Fatal(name)
		}
	}
}

// Fails when a will is not checked like a publish.
func TestWillsAreChecked(t *testing.T) {
	b := start(t, Options{})
	for _, topic := range []string{"a/#", "a/+/b", "$SYS/fake", "$x", ""} {
		for _, v := range []byte{4, 5} {
			ack, err := dial(t, b.addr).try("evil", v, withWill(topic, "x", true))
			if err == nil && ack.ReasonCode == 0 {
				t.Errorf("v%d: CONNECT with will on %q was accepted", v, topic)
			}
		}
	}
	b = start(t, Options{}, func(*conn) access.Principal { return access.Principal{Role: access.Reader} })
	if ack, err := dial(t, b.addr).try("evil", 5, withWill("cam/front/cmd", "x", true)); err != nil || ack.ReasonCode != packets.ErrNotAuthorized.Code {
		t.Errorf("a reader's will: code %#x, %v, wanted 0x87", ack.ReasonCode, err)
	}
	if ack, err := dial(t, b.addr).try("evil", 4, withWill("cam/front/cmd", "x", true)); err != nil || ack.ReasonCode != 5 {
		t.Errorf("a reader's will: code %#x, %v, wanted 5", ack.ReasonCode, err)
	}
	if n := b.Stats().Retained; n != 0 {
		t.Errorf("%d retained messages, wanted 0", n)
	}
}

// Each third fails without its quota.
func TestQuotas(t *testing.T) {
	b := start(t, Options{Limits: Limits{Subscriptions: 3, RetainedMessages: 2, RetainedBytes: 150}})
	c := join(t, b.addr, "c", 5)
	got := c.subscribe(t, 0, "a", "b", "a", "c", "d")
	if want := []byte{0, 0, 0, 0, packets.ErrQuotaExceeded.Code}; !bytes.Equal(got, want) {
		t.Errorf("reason codes %#x, wanted %#x", got, want)
	}
	for _, m := range [][2]string{{"r/1", "one"}, {"r/2", strings.Repeat("x", 200)}, {"r/3", "three"}, {"r/4", "four"}, {"r/1", "ONE"}} {
		c.publish(t, m[0], []byte(m[1]), 0, true)
	}
	c.sync(t)
	if got := b.retained.topics("r/#"); len(got) != 2 || got[0] != "r/1" || got[1] != "r/3" {
		t.Errorf("retained %q, wanted r/1 and r/3", got)
	}
	_ = c.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish}, TopicName: "t", Payload: []byte("x"), Properties: packets.Properties{TopicAlias: topicAliases + 1, TopicAliasFlag: true}})
	if pk := c.want(t, packets.Disconnect); pk.ReasonCode != packets.ErrTopicAliasInvalid.Code {
		t.Errorf("topic alias: DISCONNECT %#x, wanted 0x94", pk.ReasonCode)
	}
}

// The log holds no passwords and no payloads, neither as text nor as lists of bytes.
func TestLogKeepsSecrets(t *testing.T) {
	log := &testkit.Output{}
	b := start(t, Options{Log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	secret := func(p *packets.Packet) {
		p.Connect.UsernameFlag, p.Connect.Username = true, []byte("u")
		p.Connect.PasswordFlag, p.Connect.Password = true, []byte("Sekret")
	}
	for i := range 20 {
		c := join(t, b.addr, fmt.Sprint("c", i), 5, secret)
		_ = c.send(connectPacket("c", 5, secret)) // a second CONNECT is logged whole
		c.closedBy(t)
		d := join(t, b.addr, fmt.Sprint("d", i), 5)
		bad := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish}, TopicName: "a", Payload: bytes.Repeat([]byte("PAYLOAD"), 5000), Properties: packets.Properties{TopicAlias: 99, TopicAliasFlag: true}}
		_ = d.send(bad)
		d.closedBy(t)
	}
	out := log.String()
	for _, s := range []string{"Sekret", "83 101 107 114", "PAYLOAD", "80 65 89 76"} {
		if strings.Contains(out, s) {
			t.Errorf("the log contains %q", s)
		}
	}
	if n := strings.Count(out, "level=WARN"); n == 0 || n > 16 {
		t.Errorf("%d warnings for 40 violations of two kinds, wanted at most 8 of each:\n%s", n, out)
	}
	if len(out) > 20000 {
		t.Errorf("the log grew by %d bytes", len(out))
	}
}

// Nothing waits for a client that reads nothing.
func TestTakeoverOfStalledClient(t *testing.T) {
	for _, topic := range []string{"cam/front/frame", "other"} {
		b := start(t, Options{Limits: Limits{WriteTimeout: time.Hour}}) // a test that waits for it fails: it is longer than testkit.Patience
		old := join(t, b.addr, "viewer", 5, func(p *packets.Packet) { p.Connect.Keepalive = 0 })
		old.subscribe(t, 0, topic)
		_ = old.c.(*net.TCPConn).SetReadBuffer(4096)
		stall(t, b, topic)
		join(t, b.addr, "viewer", 5).sync(t)
		b.stop()
	}
}

// stall publishes until a viewer's line is full.
func stall(t *testing.T, b *running, topic string) {
	t.Helper()
	pub := join(t, b.addr, "stall", 4)
	body := make([]byte, 100_000)
	testkit.Until(t, "line full", func() bool {
		pub.publish(t, topic, body, 0, false)
		pub.sync(t)
		s := b.Stats()
		return s.FramesReplaced > 10 || s.MessagesDropped > 10
	})
}

// Fails without the recover in establish.
func TestPanicInHook(t *testing.T) {
	b := start(t, Options{}, func(c *conn) access.Principal {
		if c.id == "boom" {
			panic("boom")
		}
		return local(c)
	})
	c := dial(t, b.addr)
	if _, err := c.try("boom", 4); err == nil {
		t.Error("CONNECT was answered")
	}
	join(t, b.addr, "next", 4).sync(t)
	testkit.Until(t, "panic counted", func() bool { return b.Stats().Recovered == 1 })
}

// The caps that F3 and F4 call for. Addresses other than loopback are played.
func TestConnectionCaps(t *testing.T) {
	b, err := New(Options{Log: quiet(), Limits: Limits{Connections: 5, PerAddress: 2}})
	if err != nil {
		t.Fatal(err)
	}
	tcp := func(s string) net.Addr { return &net.TCPAddr{IP: net.ParseIP(s), Port: 1} }
	for i, tc := range []struct {
		from net.Addr
		ok   bool
	}{
		{tcp("192.0.2.1"), true},
		{tcp("192.0.2.1"), true},
		{tcp("192.0.2.1"), false},
		{tcp("2001:db8::1"), true},
		{tcp("2001:db8::2"), true},
		{tcp("2001:db8::3"), false}, // the same /64
		{tcp("127.0.0.1"), true},
		{tcp("127.0.0.1"), false}, // five are open
		{nil, true},               // a part of this program
	} {
		if _, err := b.conns.admit(tc.from); (err == nil) != tc.ok {
			t.Errorf("%d: connection from %v: %v", i, tc.from, err)
		}
	}
	key, _ := clientip.Of(tcp("192.0.2.1"))
	b.conns.dismiss(admission{key: key})
	if _, err := b.conns.admit(tcp("192.0.2.1")); err != nil {
		t.Errorf("after one has gone: %v", err)
	}
}
