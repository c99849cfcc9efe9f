package broker

import (
	"fmt"
	"io"
	"testing"
	"time"

	"camqtt/internal/testkit"

	"github.com/mochi-mqtt/server/v2/packets"
)

// Publishers that announce much and send little may not hold more than InboundBytes;
// what they held is there again when they have gone.
func TestInboundBudget(t *testing.T) {
	b := start(t, Options{Limits: Limits{InboundBytes: 1 << 20}})
	hoard := join(t, b.addr, "hoard", 4)
	_, _ = hoard.c.Write([]byte{0x30, 0x80, 0x80, 0x38, 0, 1, 'a'}) // 900 KiB to come
	testkit.Until(t, "announced", func() bool { return b.inbound.Load() > 0 })
	late := join(t, b.addr, "late", 4)
	_, _ = late.c.Write([]byte{0x30, 0x80, 0x80, 0x38, 0, 1, 'a'})
	late.closedBy(t)
	_ = hoard.c.Close()
	testkit.Until(t, "given back", func() bool { return b.inbound.Load() == 0 })
	pub := join(t, b.addr, "pub", 4)
	for range 5 {
		pub.publish(t, "cam/front/frame", make([]byte, 900_000), 0, false)
		pub.publish(t, "a", make([]byte, 900_000), 0, false)
	}
	pub.sync(t)
}

// Properties are not payload: a few bytes retained must not pin megabytes of them.
func TestPropertyBytes(t *testing.T) {
	b := start(t, Options{})
	c := join(t, b.addr, "c", 5)
	pk := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish, Retain: true}, TopicName: "a", Payload: []byte("x")}
	for i := range 1000 {
		pk.Properties.User = append(pk.Properties.User, packets.UserProperty{Key: fmt.Sprint("key", i), Val: "a value of some length"})
	}
	_ = c.send(pk)
	if pk := c.want(t, packets.Disconnect); pk.ReasonCode != packets.ErrPacketTooLarge.Code {
		t.Errorf("DISCONNECT %#x, wanted 0x95", pk.ReasonCode)
	}
	if n := b.Stats().Retained; n != 0 {
		t.Errorf("%d retained", n)
	}
}

// A client that never acknowledges holds a window and a bounded queue; one that reads
// nothing holds less.
func TestQueuesAreBounded(t *testing.T) {
	b := start(t, Options{Limits: Limits{Window: 5, Queue: 10, QueueBytes: 100_000, SendBytes: 50_000}})
	c := join(t, b.addr, "c", 4)
	c.subscribe(t, 1, "small", "large")
	pub := join(t, b.addr, "pub", 4)
	held := func() (flights, waiting, inflightBytes, bytes int) {
		s := b.sessions.get("c")
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.inflight), s.waiting.n, s.inflightBytes, s.waiting.bytes
	}
	for range 30 {
		pub.publish(t, "small", []byte("x"), 1, false)
	}
	pub.sync(t)
	if f, w, _, _ := held(); f != 5 || w != 10 {
		t.Errorf("%d on their way and %d waiting, wanted 5 and 10", f, w)
	}
	if n := b.Stats().MessagesDropped; n != 15 {
		t.Errorf("%d dropped, wanted 15", n)
	}
	for range 15 {
		c.message(t)
	}
	c.sync(t)
	for range 30 {
		pub.publish(t, "large", make([]byte, 30_000), 1, false)
	}
	pub.sync(t)
	if _, _, f, w := held(); f > 150_000 || w > 100_000 {
		t.Errorf("%d bytes on their way and %d waiting", f, w)
	}
}

// A line may be slow as long as it moves: 900 KB at 6 KB/s take longer than any
// timeout here, and arrive; a line that stops is given up.
func TestSlowLine(t *testing.T) {
	bubble(t, Options{}, func(b *Broker, dial func() *client) {
		slow, pub := dial(), dial()
		never := func(p *packets.Packet) { p.Connect.Keepalive = 0 }
		slow.joins(t, "slow", 4, never)
		slow.subscribe(t, 0, "cam/front/snapshot")
		pub.joins(t, "pub", 4, never)
		pub.publish(t, "cam/front/snapshot", make([]byte, 900_000), 0, false)
		buf := make([]byte, 60_000)
		_ = slow.c.SetReadDeadline(time.Time{})
		for got := 0; got < 900_000; {
			n, err := io.ReadAtLeast(slow.c, buf[:min(len(buf), 900_000-got)], 1)
			if err != nil {
				t.Fatalf("after %d bytes: %v", got, err)
			}
			got += n
			time.Sleep(5 * time.Second)
		}
		pub.publish(t, "cam/front/snapshot", make([]byte, 900_000), 0, false)
		time.Sleep(30 * time.Second)
		if n := b.Stats().Clients; n != 1 {
			t.Errorf("%d clients, wanted 1: the line does not move", n)
		}
	})
}

// A client that subscribes to more retained messages than fit in line gets them all.
func TestRetainedDump(t *testing.T) {
	b := start(t, Options{Limits: Limits{SendBytes: 20_000, Window: 4, Queue: 10}})
	pub := join(t, b.addr, "pub", 4)
	const n = 500
	for i := range n {
		pub.publish(t, fmt.Sprintf("homeassistant/%03d/config", i), make([]byte, 1000), 0, true)
		pub.publish(t, fmt.Sprintf("state/%03d", i), make([]byte, 1000), 1, true)
	}
	pub.sync(t)
	c := pipe(t, b.Broker) // takes nothing that is not read
	c.joins(t, "c", 4)
	_ = c.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Subscribe}, PacketID: 1, Filters: packets.Subscriptions{{Filter: "#", Qos: 1}}})
	got := map[string]bool{}
	for len(got) < 2*n {
		pk := c.message(t)
		if got[pk.TopicName] {
			t.Fatalf("%s came twice", pk.TopicName)
		}
		got[pk.TopicName] = true
	}
	if d := b.Stats().MessagesDropped; d != 0 {
		t.Errorf("%d dropped", d)
	}
}

// A viewer that reads nothing at QoS 1 holds up neither the camera nor the others.
func TestStalledAtQoS1(t *testing.T) {
	b := start(t, Options{Limits: Limits{WriteTimeout: time.Hour}}) // a test that waits for it fails: it is longer than testkit.Patience
	stalled := join(t, b.addr, "stalled", 4, persistent(0))
	stalled.subscribe(t, 1, "cam/#")
	good := join(t, b.addr, "good", 4)
	good.subscribe(t, 1, "cam/#")
	cam := join(t, b.addr, "cam", 4)
	for range 300 {
		cam.publish(t, "cam/front/result", make([]byte, 50_000), 1, false)
		cam.want(t, packets.Puback)
		good.message(t)
	}
	s := b.sessions.get("stalled")
	s.mu.Lock()
	defer s.mu.Unlock()
	if limit := 2*b.limits.QueueBytes + 100_000; s.waiting.bytes+s.inflightBytes > limit {
		t.Errorf("%d bytes are kept for the stalled viewer, wanted at most %d", s.waiting.bytes+s.inflightBytes, limit)
	}
}
