package broker

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"camqtt/internal/testkit"

	"github.com/mochi-mqtt/server/v2/packets"
)

// An absent member of a share group does not get its turn.
func TestSharedGroupChoosesConnected(t *testing.T) {
	b := start(t, Options{})
	off := join(t, b.addr, "off", 5, persistent(100))
	off.subscribe(t, 1, "$share/g/t", "$share/g/cam/front/frame")
	_ = off.c.Close()
	testkit.Until(t, "client away", func() bool { return b.Stats().Clients == 0 })
	on := []*client{join(t, b.addr, "on1", 5), join(t, b.addr, "on2", 4)}
	for _, c := range on {
		c.subscribe(t, 1, "$share/g/t", "$share/g/cam/front/frame")
	}
	pub := join(t, b.addr, "pub", 4)
	for range 20 {
		pub.publish(t, "t", []byte("x"), 1, false)
		pub.publish(t, "cam/front/frame", make([]byte, 2000), 0, false)
	}
	pub.sync(t)
	for i, c := range on {
		small := 0
		for _, m := range c.drained(t) {
			if m == "t=x" {
				small++
			}
		}
		if small < 5 {
			t.Errorf("member %d got %d messages of 20", i, small)
		}
	}
	frames := int64(0)
	for _, v := range b.Stats().Viewers {
		frames += v.Delivered + v.Replaced
		if v.Delivered+v.Replaced < 5 {
			t.Errorf("%s was given %d frames of 20", v.Client, v.Delivered+v.Replaced)
		}
	}
	if frames != 20 {
		t.Errorf("%d frames were given to the group, wanted 20", frames)
	}
}

// A will is published with all its properties.
func TestWillProperties(t *testing.T) {
	b := start(t, Options{})
	watch := join(t, b.addr, "watch", 5)
	watch.subscribe(t, 0, "w")
	c := join(t, b.addr, "c", 5, withWill("w", "bye", false), func(p *packets.Packet) {
		p.Connect.WillProperties = packets.Properties{
			ContentType: "text/plain", ResponseTopic: "r", CorrelationData: []byte("c"), MessageExpiryInterval: 1000,
			PayloadFormat: 1, PayloadFormatFlag: true, User: []packets.UserProperty{{Key: "k", Val: "v"}},
		}
	})
	_ = c.c.Close()
	p := watch.message(t).Properties
	if p.ContentType != "text/plain" || p.ResponseTopic != "r" || string(p.CorrelationData) != "c" || !p.PayloadFormatFlag || len(p.User) != 1 || p.MessageExpiryInterval < 900 || p.MessageExpiryInterval > 1000 {
		t.Errorf("properties %+v", p)
	}
}

// C7, C11 and the rest of what is said of wills.
func TestWillTimes(t *testing.T) {
	bubble(t, Options{}, func(b *Broker, dial func() *client) {
		watch := dial()
		watch.joins(t, "watch", 4, func(p *packets.Packet) { p.Connect.Keepalive = 0 })
		watch.subscribe(t, 0, "#")
		delayed := func(p *packets.Packet) { p.Connect.WillProperties.WillDelayInterval = 20 }
		expect := func(what string, want ...string) {
			t.Helper()
			time.Sleep(2 * time.Second)
			if got := watch.drained(t); !slices.Equal(got, want) {
				t.Errorf("%s: got %q, wanted %q", what, got, want)
			}
		}
		c := dial()
		c.joins(t, "c", 5, withWill("w", "1", false))
		_ = c.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Disconnect}})
		expect("DISCONNECT")
		c = dial()
		c.joins(t, "c", 5, withWill("w", "2", false))
		_ = c.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Disconnect}, ReasonCode: 4})
		expect("DISCONNECT with will", "w=2")
		c = dial()
		c.joins(t, "c", 5, withWill("w", "3", false), persistent(100), delayed)
		_ = c.c.Close()
		expect("before the delay")
		time.Sleep(20 * time.Second)
		expect("after the delay", "w=3")
		c = dial()
		c.joins(t, "c", 5, withWill("w", "4", false), persistent(100), delayed)
		_ = c.c.Close()
		c = dial()
		c.joins(t, "c", 5, persistent(100))
		time.Sleep(30 * time.Second)
		expect("client was back before the delay")
		c = dial()
		c.joins(t, "c", 5, withWill("w", "5", false), persistent(10), delayed)
		_ = c.c.Close()
		time.Sleep(10 * time.Second)
		expect("session over before the delay", "w=5")
	})
}

func TestAnswers(t *testing.T) {
	b := start(t, Options{Limits: Limits{Packet: 12345, SessionExpiry: time.Minute}})
	old := join(t, b.addr, "same", 4)
	join(t, b.addr, "same", 4)
	if got := old.rest(t); len(got) != 0 {
		t.Errorf("a 3.1.1 client that was taken over got % x", got)
	}
	five := join(t, b.addr, "five", 5)
	join(t, b.addr, "five", 5)
	if pk := five.want(t, packets.Disconnect); pk.ReasonCode != packets.ErrSessionTakenOver.Code {
		t.Errorf("DISCONNECT %#x, wanted 0x8e", pk.ReasonCode)
	}
	ack, err := dial(t, b.addr).try("", 4, persistent(1))
	if err != nil || ack.ReasonCode != 2 {
		t.Errorf("empty id without clean session: code %d, %v, wanted 2", ack.ReasonCode, err)
	}
	ack, err = dial(t, b.addr).try("x", 5, persistent(1000))
	if err != nil || ack.Properties.MaximumPacketSize != 12345 || ack.Properties.SessionExpiryInterval != 60 {
		t.Errorf("CONNACK says packet size %d and session expiry %d, wanted 12345 and 60", ack.Properties.MaximumPacketSize, ack.Properties.SessionExpiryInterval)
	}
	ack, err = dial(t, b.addr).try("a", 5, func(p *packets.Packet) { p.Properties.AuthenticationMethod = "SCRAM-SHA-1" })
	if err != nil || ack.ReasonCode != packets.ErrBadAuthenticationMethod.Code {
		t.Errorf("an authentication method: code %#x, %v, wanted 0x8c", ack.ReasonCode, err)
	}
	other := join(t, b.addr, "other", 5)
	other.subscribe(t, 0, "u")
	c := join(t, b.addr, "c", 5)
	c.subscribe(t, 0, "v")
	_ = c.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Unsubscribe}, PacketID: 9, Filters: packets.Subscriptions{{Filter: "u"}, {Filter: "v"}}})
	if pk := c.want(t, packets.Unsuback); !slices.Equal(pk.ReasonCodes, []byte{0x11, 0}) {
		t.Errorf("UNSUBACK %#x, wanted 0x11 and 0", pk.ReasonCodes)
	}
}

// Fails when a retained picture is copied, or keeps its buffer after it is replaced.
func TestRetainedPicturesAreShared(t *testing.T) {
	b := start(t, Options{})
	pub := join(t, b.addr, "pub", 4)
	for range 3 {
		for i := range 50 {
			pub.publish(t, fmt.Sprintf("cam/c%d/preview", i), make([]byte, 50000), 0, true)
			pub.publish(t, fmt.Sprintf("cam/c%d/frame", i), make([]byte, 50000), 0, true)
		}
	}
	pub.sync(t)
	if n := b.buffers.Out(); n != 50 {
		t.Errorf("%d buffers are out, wanted one for each of 50 previews", n)
	}
	viewer := join(t, b.addr, "viewer", 4)
	viewer.subscribe(t, 0, "cam/+/preview", "cam/+/frame")
	for range 50 {
		if pk := viewer.message(t); !strings.HasSuffix(pk.TopicName, "/preview") || !pk.FixedHeader.Retain || len(pk.Payload) != 50000 {
			t.Fatalf("got %s, retain %v, %d bytes", pk.TopicName, pk.FixedHeader.Retain, len(pk.Payload))
		}
	}
	if got := viewer.drained(t); len(got) != 0 {
		t.Errorf("got %d messages more: a frame was retained", len(got))
	}
	for i := range 50 {
		pub.publish(t, fmt.Sprintf("cam/c%d/preview", i), nil, 0, true)
	}
	pub.sync(t)
	testkit.Until(t, "buffers back", func() bool { return b.buffers.Out() == 0 })
}

// Fails when the old connection's will can come after the newcomer's first word.
func TestTakeoverKeepsPresence(t *testing.T) {
	b := start(t, Options{})
	for i := range 200 {
		c := dial(t, b.addr)
		if _, err := c.try("front", 4, withWill("cam/front/status", "offline", true)); err != nil {
			t.Fatal(err)
		}
		c.publish(t, "cam/front/status", []byte("online"), 1, true)
		c.want(t, packets.Puback)
		if i%2 == 0 {
			_ = c.c.Close() // its end races with the next one's beginning
		}
	}
	c := join(t, b.addr, "watch", 4)
	c.subscribe(t, 0, "cam/front/status")
	if got := c.drained(t); !slices.Equal(got, []string{"cam/front/status=offline"}) && !slices.Equal(got, []string{"cam/front/status=online"}) {
		t.Fatalf("got %q", got)
	}
	front := join(t, b.addr, "front", 4, withWill("cam/front/status", "offline", true))
	front.subscribe(t, 0, "x")
	front.publish(t, "cam/front/status", []byte("online"), 1, true)
	front.want(t, packets.Puback)
	next := join(t, b.addr, "front", 4, withWill("cam/front/status", "offline", true))
	next.subscribe(t, 0, "y")
	next.publish(t, "cam/front/status", []byte("online"), 1, true)
	next.want(t, packets.Puback)
	got := c.drained(t)
	if len(got) == 0 || got[len(got)-1] != "cam/front/status=online" {
		t.Errorf("the last word is %q, wanted online", got)
	}
	c.publish(t, "y", []byte("still there"), 0, false)
	if pk := next.message(t); string(pk.Payload) != "still there" {
		t.Errorf("got %q", pk.Payload)
	}
}

// A client that says that it goes and comes back at once is not taken for one that was
// lost, however the broker's goroutines are scheduled.
func TestDisconnectAndBack(t *testing.T) {
	b := start(t, Options{})
	watch := join(t, b.addr, "watch", 4)
	watch.subscribe(t, 0, "w")
	goodbye, err := encode(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Disconnect}}, 4)
	if err != nil {
		t.Fatal(err)
	}
	alive, err := encode(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish}, TopicName: "w", Payload: []byte("alive")}, 4)
	if err != nil {
		t.Fatal(err)
	}
	for range 300 {
		c := join(t, b.addr, "c", 4, withWill("w", "lost", false))
		_, _ = c.c.Write(slices.Concat(alive, goodbye))
		join(t, b.addr, "c", 4).sync(t)
		_ = c.c.Close()
	}
	for i, m := range watch.drained(t) {
		if m != "w=alive" {
			t.Fatalf("message %d is %q", i, m)
		}
	}
}

// Copied user properties break clients.
func TestAcknowledgementsCarryNoUserProperties(t *testing.T) {
	b := start(t, Options{})
	c := join(t, b.addr, "c", 5)
	_ = c.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: 1}, TopicName: "a", PacketID: 1, Payload: []byte("x"), Properties: packets.Properties{User: []packets.UserProperty{{Key: "k", Val: "v"}}}})
	if pk := c.want(t, packets.Puback); len(pk.Properties.User) != 0 {
		t.Errorf("PUBACK has user properties %v", pk.Properties.User)
	}
}

// A client that has the answer to its CONNECT is counted.
func TestClientsAreCountedBeforeTheyKnow(t *testing.T) {
	b := start(t, Options{})
	for i := range int64(3) {
		pipe(t, b.Broker).joins(t, fmt.Sprint("c", i), 4)
		if n := b.Stats().Clients; n != i+1 {
			t.Errorf("%d clients are counted when CONNACK has come, wanted %d", n, i+1)
		}
	}
}
