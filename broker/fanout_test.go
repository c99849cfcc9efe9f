package broker

import (
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	"camqtt/internal/testkit"

	"github.com/mochi-mqtt/server/v2/packets"
)

type published struct {
	topic string
	size  int
	qos   byte
}

// rounds publishes n rounds of messages whose payload begins with the round's number.
// next is asked before each round.
func rounds(cam *client, n int, each []published, next func() bool) {
	for i := range n {
		if !next() {
			return
		}
		for _, m := range each {
			p := make([]byte, m.size)
			binary.BigEndian.PutUint32(p, uint32(i))
			pk := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: m.qos}, TopicName: m.topic, Payload: p}
			if m.qos > 0 {
				cam.id = cam.id%30000 + 1
				pk.PacketID = cam.id
			}
			if cam.send(pk) != nil {
				return
			}
		}
	}
}

// swallow reads and forgets.
func swallow(c *client) {
	for {
		if _, err := c.recv(time.Minute); err != nil {
			return
		}
	}
}

// A viewer that keeps up gets one publisher's messages in the order they were
// published, whatever their QoS. It fails when a
// connection writes ordinary packets before pictures.
func TestOrder(t *testing.T) {
	each := []published{
		{"cam/front/frame", 50000, 0},
		{"cam/front/snapshot/meta", 100, 1},
		{"cam/front/snapshot", 50000, 0},
		{"cam/front/result", 100, 1},
	}
	for _, v := range []byte{4, 5} {
		b := start(t, Options{})
		viewer := join(t, b.addr, "viewer", v)
		viewer.subscribe(t, 1, "cam/front/#")
		cam := join(t, b.addr, "cam", v)
		go swallow(cam) // ends with the connection
		const n = 500
		s := b.sessions.get("viewer")
		token := make(chan struct{})
		go rounds(cam, n, each, func() bool { _, ok := <-token; return ok }) // ends after n or with token
		for i := range n {
			testkit.Until(t, "viewer has acknowledged everything", func() bool {
				s.mu.Lock()
				defer s.mu.Unlock()
				return len(s.inflight) == 0
			})
			token <- struct{}{}
			for _, m := range each {
				pk := viewer.message(t)
				if got := int(binary.BigEndian.Uint32(pk.Payload)); pk.TopicName != m.topic || got != i {
					t.Fatalf("v%d: got %s of round %d, wanted %s of round %d", v, pk.TopicName, got, m.topic, i)
				}
			}
		}
		b.stop()
	}
}

// Also to a viewer that is behind, no result comes before a frame at least as new.
func TestOrderBehind(t *testing.T) {
	b := start(t, Options{})
	viewer := join(t, b.addr, "viewer", 4)
	viewer.subscribe(t, 1, "cam/front/#")
	cam := join(t, b.addr, "cam", 4)
	go swallow(cam) // ends with the connection
	const n = 500
	go rounds(cam, n, []published{{"cam/front/frame", 50000, 0}, {"cam/front/result", 4, 1}}, func() bool { return true }) // ends after n
	newest := -1
	for result := -1; result < n-1; {
		pk := viewer.message(t)
		i := int(binary.BigEndian.Uint32(pk.Payload))
		if pk.TopicName == "cam/front/frame" {
			newest = i
			continue
		}
		if i != result+1 || newest < i {
			t.Fatalf("result %d after result %d and frame %d", i, result, newest)
		}
		result = i
	}
}

// A snapshot waits behind its meta when that must wait for acknowledgements. It fails
// without session.follow.
func TestSnapshotFollowsItsMeta(t *testing.T) {
	b := start(t, Options{})
	viewer := join(t, b.addr, "viewer", 5, func(p *packets.Packet) { p.Properties.ReceiveMaximum = 1 })
	viewer.subscribe(t, 1, "cam/#")
	cam := join(t, b.addr, "cam", 4)
	for i := range 3 {
		cam.publish(t, "cam/front/snapshot/meta", fmt.Append(nil, i), 1, false)
		cam.publish(t, "cam/front/snapshot", append([]byte{byte('0' + i)}, make([]byte, 2000)...), 0, false)
	}
	cam.sync(t) // the newest snapshot waits
	var got []string
	for len(got) < 4 || got[len(got)-1] != "snapshot 2" {
		pk := viewer.want(t, packets.Publish)
		got = append(got, fmt.Sprintf("%s %c", pk.TopicName[len("cam/front/"):], pk.Payload[0]))
		viewer.ack(pk)
	}
	if want := []string{"snapshot/meta 0", "snapshot 0", "snapshot/meta 1", "snapshot/meta 2", "snapshot 2"}; !slices.Equal(got, want) {
		t.Errorf("got %q, wanted %q", got, want)
	}
	testkit.Until(t, "all buffers are back", func() bool { return b.buffers.Out() == 0 })
}

// What MQTT 5 says of delivery holds for pictures too.
func TestLaneSemantics(t *testing.T) {
	b := start(t, Options{})
	c := join(t, b.addr, "c5", 5)
	c.subscribeTo(t, packets.Subscriptions{{Filter: "cam/+/frame"}}, packets.Properties{SubscriptionIdentifier: []int{7}})
	c.subscribeTo(t, packets.Subscriptions{{Filter: "cam/#", NoLocal: true}}, packets.Properties{SubscriptionIdentifier: []int{9}})
	rap := join(t, b.addr, "rap", 5)
	rap.subscribeTo(t, packets.Subscriptions{{Filter: "cam/+/preview", RetainAsPublished: true}}, packets.Properties{})
	plain := join(t, b.addr, "plain", 5)
	plain.subscribe(t, 0, "cam/+/preview")
	for _, c := range []*client{rap, plain} { // what is retained is looked for after SUBACK, and must not find what comes now
		c.sync(t)
	}
	small := join(t, b.addr, "small", 5, func(p *packets.Packet) { p.Properties.MaximumPacketSize = 2000 })
	small.subscribe(t, 0, "cam/#")
	pub := join(t, b.addr, "p5", 5)
	body := make([]byte, 3000)
	_ = pub.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish, Retain: true}, TopicName: "cam/x/frame", Payload: body, Properties: packets.Properties{
		ContentType: "image/jpeg", User: []packets.UserProperty{{Key: "k", Val: "v"}},
	}})
	pk := c.message(t)
	if p := pk.Properties; len(pk.Payload) != 3000 || p.ContentType != "image/jpeg" || len(p.User) != 1 || len(p.SubscriptionIdentifier) != 2 || p.SubscriptionIdentifier[0] != 7 || p.SubscriptionIdentifier[1] != 9 {
		t.Errorf("frame of %d bytes with %+v", len(pk.Payload), p)
	}
	old := join(t, b.addr, "p3", 4)
	for _, p := range []*client{pub, old} {
		p.publish(t, "cam/x/preview", body, 0, true)
		p.sync(t)
		if pk := rap.message(t); !pk.FixedHeader.Retain {
			t.Error("retain as published: not retained")
		}
		if pk := plain.message(t); pk.FixedHeader.Retain {
			t.Error("live delivery has the retain flag [MQTT-3.3.1-12]")
		}
	}
	// Subscribed with no-local under two overlapping filters, it hears nothing of itself.
	for len(c.drained(t)) > 0 {
	}
	c.publish(t, "cam/x/preview", body, 0, false)
	if got := c.drained(t); len(got) != 0 {
		t.Errorf("no-local: got %d messages of its own", len(got))
	}
	if got := small.drained(t); len(got) != 0 {
		t.Errorf("a client that takes 2000 bytes got %d messages of 3000", len(got))
	}
	// QoS above 0 is acknowledged and counted, not replaced.
	q := join(t, b.addr, "q", 4)
	q.subscribe(t, 2, "cam/y/frame")
	for range 3 {
		pub.publish(t, "cam/y/frame", body, 2, false)
		rec := pub.want(t, packets.Pubrec)
		_ = pub.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Pubrel}, PacketID: rec.PacketID})
		pub.want(t, packets.Pubcomp)
		got := q.want(t, packets.Publish)
		_ = q.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Pubrec}, PacketID: got.PacketID})
		if rel := q.want(t, packets.Pubrel); rel.PacketID != got.PacketID || rel.ReasonCode != 0 {
			t.Errorf("PUBREL of %d with %#x, wanted of %d", rel.PacketID, rel.ReasonCode, got.PacketID)
		}
		_ = q.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Pubcomp}, PacketID: got.PacketID})
	}
	q.sync(t)
	s := b.sessions.get("q")
	s.mu.Lock()
	if len(s.inflight) != 0 {
		t.Errorf("%d messages are still on their way", len(s.inflight))
	}
	s.mu.Unlock()
}

// Viewers that read nothing cost one slot per topic each, however much is published,
// and the others do not notice. It fails when anything queues pictures.
func TestStalledViewers(t *testing.T) {
	const stalled, cams, rounds = 10, 3, 200
	b := start(t, Options{Limits: Limits{WriteTimeout: time.Hour}})
	for i := range stalled {
		stalledViewer(t, b, fmt.Sprint("stalled", i))
	}
	good := join(t, b.addr, "good", 4)
	good.subscribe(t, 0, "cam/+/frame")
	pub := join(t, b.addr, "pub", 4)
	body := make([]byte, 50000)
	most := int64(0)
	for range rounds {
		for cam := range cams {
			pub.publish(t, fmt.Sprintf("cam/c%d/frame", cam), body, 0, false)
			good.message(t)
		}
		most = max(most, b.buffers.Out())
	}
	pub.sync(t) // the last one has been given to all
	// Per stalled viewer at most a slot per topic and the packet being written; in
	// fact they share most of the buffers.
	if limit := int64(stalled*(cams+1) + 2); most > limit {
		t.Errorf("%d buffers were out at once, wanted at most %d", most, limit)
	}
	var s Stats
	testkit.Until(t, "what was written and replaced is counted", func() bool { // which is afterwards
		s = b.Stats()
		return slices.ContainsFunc(s.Viewers, func(v ViewerStats) bool { return v.Client == "good" && v.Delivered == rounds*cams }) && s.agree()
	})
	if want := int64(rounds * cams * (stalled + 1)); s.FramesDelivered+s.FramesReplaced+stalled*(cams+1) < want {
		t.Errorf("%d delivered and %d replaced do not account for %d", s.FramesDelivered, s.FramesReplaced, want)
	}
	if s.FramesIn != rounds*cams || len(s.Cameras) != cams || s.Cameras[0].In != rounds || s.Cameras[0].Bytes != rounds*50000 {
		t.Errorf("counted %d frames, cameras %+v", s.FramesIn, s.Cameras)
	}
	for _, c := range s.Cameras {
		if c.Replaced == 0 || c.BytesOut < c.Delivered*50000 {
			t.Errorf("camera %+v", c)
		}
	}
	for _, v := range s.Viewers {
		if v.Client != "good" && (v.Replaced == 0 || v.Waiting > cams) {
			t.Errorf("viewer %+v", v)
		}
	}
	b.stop()
	if n := b.buffers.Out(); n != 0 {
		t.Errorf("%d buffers are not back", n)
	}
}

// agree reports whether the cameras' counters add up to those of the broker, as they do
// while nothing is being written.
func (s *Stats) agree() bool {
	var delivered, replaced int64
	for _, c := range s.Cameras {
		delivered, replaced = delivered+c.Delivered, replaced+c.Replaced
	}
	return delivered == s.FramesDelivered && replaced == s.FramesReplaced
}

// stalledViewer reads nothing.
func stalledViewer(t *testing.T, b *running, id string) {
	t.Helper()
	v := join(t, b.addr, id, 4)
	_ = v.c.(*net.TCPConn).SetReadBuffer(4096)
	v.subscribe(t, 0, "cam/+/frame")
}

// Who takes nothing for WriteTimeout is given up, and leaves nothing behind.
func TestStalledViewersAreGivenUp(t *testing.T) {
	b := start(t, Options{Limits: Limits{WriteTimeout: 200 * time.Millisecond}})
	for i := range 3 {
		stalledViewer(t, b, fmt.Sprint("stalled", i))
	}
	pub := join(t, b.addr, "pub", 4)
	testkit.Until(t, "stalled viewers are given up", func() bool {
		pub.publish(t, "cam/front/frame", make([]byte, 50000), 0, false)
		pub.sync(t)
		return b.Stats().Clients == 1
	})
	testkit.Until(t, "all buffers are back", func() bool { return b.buffers.Out() == 0 })
}

// A viewer over TLS is served by the drain goroutine.
func TestTLSViewer(t *testing.T) {
	cert, pool := certificate(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	b := start(t, Options{Listeners: []net.Listener{NewTLSListener(l, &tls.Config{Certificates: []tls.Certificate{cert}})}})
	raw, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: pool, ServerName: "localhost"})
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	viewer := newClient(raw)
	viewer.joins(t, "viewer", 5)
	viewer.subscribe(t, 0, "cam/front/#")
	pub := join(t, b.addr, "pub", 4)
	body := make([]byte, 100_000)
	for i := range 50 {
		binary.BigEndian.PutUint32(body[70_000:], uint32(i))
		pub.publish(t, "cam/front/frame", body, 0, false)
		pk := viewer.message(t)
		if len(pk.Payload) != len(body) || binary.BigEndian.Uint32(pk.Payload[70_000:]) != uint32(i) {
			t.Fatalf("frame %d: %d bytes", i, len(pk.Payload))
		}
	}
}
