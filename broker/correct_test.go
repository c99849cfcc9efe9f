package broker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	"camqtt/internal/testkit"
	"camqtt/internal/testkit/faketime"

	"github.com/mochi-mqtt/server/v2/packets"
)

// bubble serves a broker inside a synctest bubble and gives a way to join it by pipe.
func bubble(t *testing.T, o Options, f func(b *Broker, dial func() *client)) {
	t.Helper()
	faketime.Run(t, func(t *testing.T) {
		o.Log = quiet()
		b, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- b.Serve(ctx) }() // ends with ctx
		f(b, func() *client { return pipe(t, b) })
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
}

// pipe gives a client on a pipe to the broker.
func pipe(t testing.TB, b *Broker) *client {
	near, far := net.Pipe()
	go func() { // ends with the client or the broker
		if err := b.Attach(context.Background(), far); err != nil && !errors.Is(err, ErrClosed) {
			t.Logf("Attach: %v", err)
		}
	}()
	t.Cleanup(func() { _ = near.Close() })
	return newClient(near)
}

// An expired session leaves no subscriptions to the next client with its identifier.
func TestExpiredSessionLeavesNothing(t *testing.T) {
	bubble(t, Options{}, func(b *Broker, dial func() *client) {
		c := dial()
		c.joins(t, "ghost", 5, persistent(60))
		c.subscribe(t, 1, "secret/#")
		_ = c.c.Close()
		time.Sleep(59 * time.Second)
		if n := receivers(b.subs, "secret/x"); n != 1 {
			t.Fatalf("%d subscriptions before the session's end, wanted 1", n)
		}
		time.Sleep(3 * time.Second)
		if n := receivers(b.subs, "secret/x"); n != 0 {
			t.Errorf("%d subscriptions after the session's end, wanted 0", n)
		}
		next := dial()
		next.joins(t, "ghost", 5)
		pub := dial()
		pub.joins(t, "pub", 4)
		pub.publish(t, "secret/x", []byte("hi"), 0, false)
		pub.sync(t)
		if got := next.drained(t); len(got) != 0 {
			t.Errorf("got %q, wanted nothing", got)
		}
		if s := b.Stats().Sessions; s != 2 {
			t.Errorf("%d sessions, wanted 2", s)
		}
	})
}

// A retained message without an expiry stays, and no delivery names one.
func TestRetainedOutlivesTheDay(t *testing.T) {
	bubble(t, Options{}, func(b *Broker, dial func() *client) {
		pub := dial()
		pub.joins(t, "pub", 5, func(p *packets.Packet) { p.Connect.Keepalive = 0 })
		pub.publish(t, "homeassistant/camera/x/config", []byte("{}"), 0, true)
		pub.sync(t)
		time.Sleep(25 * time.Hour)
		c := dial()
		c.joins(t, "c", 5)
		c.subscribe(t, 0, "homeassistant/#", "live")
		pk := c.message(t)
		if string(pk.Payload) != "{}" || !pk.FixedHeader.Retain || pk.Properties.MessageExpiryInterval != 0 {
			t.Errorf("got %q, retain %v, expiry %d; wanted {}, true, 0", pk.Payload, pk.FixedHeader.Retain, pk.Properties.MessageExpiryInterval)
		}
		pub = dial() // the first has been silent for longer than a keepalive may be
		pub.joins(t, "pub", 5)
		_ = pub.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish, Retain: true}, TopicName: "live", Payload: []byte("x"), Properties: packets.Properties{MessageExpiryInterval: 100}})
		pub.sync(t)
		if pk := c.message(t); pk.Properties.MessageExpiryInterval != 100 {
			t.Errorf("expiry %d, wanted 100", pk.Properties.MessageExpiryInterval)
		}
		time.Sleep(40 * time.Second)
		late := dial()
		late.joins(t, "late", 5)
		late.subscribe(t, 0, "live")
		if pk := late.message(t); pk.Properties.MessageExpiryInterval != 60 { // [MQTT-3.3.2-6]
			t.Errorf("expiry %d after 40 s, wanted 60", pk.Properties.MessageExpiryInterval)
		}
		pub.sync(t)
		time.Sleep(62 * time.Second)
		if n := b.Stats().Retained; n != 1 {
			t.Errorf("%d retained after the expiry, wanted 1", n)
		}
	})
}

// One and a half keepalives may be more than 16 bits can hold.
func TestLongKeepalives(t *testing.T) {
	for k, open := range map[uint16]time.Duration{10: 14 * time.Second, 43691: time.Minute, 43692: time.Minute, 65535: 9*time.Hour + 10*time.Minute} {
		bubble(t, Options{}, func(b *Broker, dial func() *client) {
			c := dial()
			c.joins(t, "c", 4, func(p *packets.Packet) { p.Connect.Keepalive = k })
			time.Sleep(open)
			c.sync(t)
			time.Sleep(open)
			if n := b.Stats().Clients; n != 1 {
				t.Fatalf("keepalive %d: closed too early", k)
			}
			if k == 10 {
				time.Sleep(2 * time.Second)
				if n := b.Stats().Clients; n != 0 {
					t.Errorf("keepalive %d: still open after one and a half of it", k)
				}
			}
		})
	}
}

// Messages that waited are sent in their order.
func TestQueuedMessagesKeepTheirOrder(t *testing.T) {
	b := start(t, Options{})
	c := join(t, b.addr, "c", 4, persistent(100))
	c.subscribe(t, 1, "o")
	pub := join(t, b.addr, "pub", 4)
	pub.publish(t, "o", []byte("0"), 1, false) // delivered but not acknowledged
	c.want(t, packets.Publish)
	_ = c.c.Close()
	testkit.Until(t, "client away", func() bool { return b.Stats().Clients == 1 })
	want := []string{"o=0"}
	for i := 1; i < 100; i++ {
		pub.publish(t, "o", fmt.Append(nil, i), 1, false)
		want = append(want, fmt.Sprint("o=", i))
	}
	pub.sync(t)
	c = dial(t, b.addr)
	ack, err := c.try("c", 4, persistent(100))
	if err != nil || !ack.SessionPresent {
		t.Fatalf("CONNACK: session present %v, %v", ack.SessionPresent, err)
	}
	var got []string
	for len(got) < len(want) {
		pk := c.message(t)
		if dup := len(got) == 0; pk.FixedHeader.Dup != dup {
			t.Errorf("message %d: DUP %v, wanted %v", len(got), pk.FixedHeader.Dup, dup)
		}
		got = append(got, pk.TopicName+"="+string(pk.Payload))
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, wanted them in order", got)
	}
	if more := c.drained(t); len(more) != 0 {
		t.Errorf("got %q besides", more)
	}
}

// A packet that is too large for the client does not hold up smaller ones.
// [MQTT-3.1.2-24]
func TestSmallPacketsBeforeOneTooLarge(t *testing.T) {
	b := start(t, Options{})
	c := join(t, b.addr, "c", 5, func(p *packets.Packet) { p.Properties.MaximumPacketSize = 1000 })
	c.subscribe(t, 1, "z", "cam/front/frame")
	pub := join(t, b.addr, "pub", 4)
	for i := range 3 {
		pub.publish(t, "z", fmt.Append(nil, i), 0, false)
	}
	for qos := range byte(2) {
		pub.publish(t, "z", make([]byte, 2000), qos, false)
		pub.publish(t, "cam/front/frame", make([]byte, 2000), qos, true)
	}
	pub.sync(t)
	if got := c.drained(t); !slices.Equal(got, []string{"z=0", "z=1", "z=2"}) {
		t.Errorf("got %.80q, wanted the three small ones", got)
	}
	c.publish(t, "r", make([]byte, 2000), 0, true)
	c.subscribe(t, 0, "r")
	if got := c.drained(t); len(got) != 0 {
		t.Errorf("got a retained message of 2000 bytes")
	}
}

// Retained messages match filters as live ones do, and share groups get none under $SYS.
func TestMatching(t *testing.T) {
	b := start(t, Options{Limits: Limits{SystemEvery: time.Hour}}) // what is live under $SYS is not asked for here
	pub := join(t, b.addr, "pub", 4)
	pub.publish(t, "a", []byte("ret"), 0, true)
	pub.sync(t)
	for _, filter := range []string{"a", "a/#", "+/#", "#", "+"} {
		c := join(t, b.addr, "c", 4)
		c.subscribe(t, 0, filter)
		if got := c.drained(t); !slices.Equal(got, []string{"a=ret"}) {
			t.Errorf("retained for %s: %q, wanted a=ret", filter, got)
		}
	}
	c := join(t, b.addr, "c", 5)
	if got := c.subscribe(t, 0, "$share/g/#", "$SYS/#", "$other/#"); !slices.Equal(got, []byte{0, 0, 0x87}) {
		t.Errorf("reason codes %#x", got)
	}
	sys := c.drained(t)
	if len(sys) < 10 {
		t.Errorf("%d retained messages under $SYS, wanted all", len(sys))
	}
	pub.publish(t, "shared/x", []byte("1"), 0, false)
	pub.sync(t)
	if got := c.drained(t); !slices.Equal(got, []string{"shared/x=1"}) {
		t.Errorf("share group of # got %q", got)
	}
}
