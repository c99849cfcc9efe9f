package broker

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"camqtt/internal/testkit"

	"github.com/mochi-mqtt/server/v2/packets"
)

// When a subscription is answered with what is retained [MQTT-3.3.1-9] to 11, and with
// which flag [MQTT-3.3.1-12], [MQTT-3.3.1-13].
func TestRetainHandling(t *testing.T) {
	b := start(t, Options{})
	pub := join(t, b.addr, "pub", 4)
	pub.publish(t, "r", []byte("kept"), 1, true)
	pub.want(t, packets.Puback)
	c := join(t, b.addr, "c", 5)
	for i, tc := range []struct {
		handling byte
		want     int
	}{{0, 1}, {0, 1}, {1, 0}, {2, 0}} {
		c.subscribeTo(t, packets.Subscriptions{{Filter: "r", RetainHandling: tc.handling}}, packets.Properties{})
		if got := c.drained(t); len(got) != tc.want {
			t.Errorf("subscription %d with handling %d: %q, wanted %d", i, tc.handling, got, tc.want)
		}
	}
	d := join(t, b.addr, "d", 5)
	d.subscribeTo(t, packets.Subscriptions{{Filter: "r", RetainHandling: 2}}, packets.Properties{})
	if got := d.drained(t); len(got) != 0 {
		t.Errorf("handling 2, new: %q", got)
	}
	e := join(t, b.addr, "e", 5)
	e.subscribeTo(t, packets.Subscriptions{{Filter: "r", RetainHandling: 1, RetainAsPublished: true}}, packets.Properties{SubscriptionIdentifier: []int{268435455}})
	if pk := e.message(t); !pk.FixedHeader.Retain || !slices.Equal(pk.Properties.SubscriptionIdentifier, []int{268435455}) {
		t.Errorf("handling 1, new: retain %v, identifiers %v", pk.FixedHeader.Retain, pk.Properties.SubscriptionIdentifier)
	}
	for _, retain := range []bool{true, false} {
		pub.publish(t, "r", []byte("live"), 0, retain)
		if pk := e.message(t); pk.FixedHeader.Retain != retain {
			t.Errorf("as published: retain %v, wanted %v", pk.FixedHeader.Retain, retain)
		}
		if pk := c.message(t); pk.FixedHeader.Retain {
			t.Error("not as published: retain is set")
		}
	}
	// An empty payload removes, is delivered, and is not kept [MQTT-3.3.1-6], [MQTT-3.3.1-7].
	pub.publish(t, "r", nil, 0, true)
	if pk := c.message(t); len(pk.Payload) != 0 {
		t.Errorf("removal delivered as %q", pk.Payload)
	}
	f := join(t, b.addr, "f", 4)
	f.subscribe(t, 0, "r")
	if got := f.drained(t); len(got) != 0 {
		t.Errorf("after removal: %q", got)
	}
	// At the lower of both qualities.
	pub.publish(t, "q", []byte("2"), 2, true)
	_ = pub.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Pubrel}, PacketID: pub.want(t, packets.Pubrec).PacketID})
	for want := range byte(3) {
		g := join(t, b.addr, fmt.Sprint("g", want), 4)
		g.subscribe(t, want, "q")
		if pk := g.want(t, packets.Publish); pk.FixedHeader.Qos != want {
			t.Errorf("subscribed at QoS %d: got it at %d", want, pk.FixedHeader.Qos)
		}
	}
}

// How long sessions live, and what of them is there again [MQTT-3.1.2-23].
func TestSessions(t *testing.T) {
	bubble(t, Options{Limits: Limits{SessionExpiry: time.Hour}}, func(b *Broker, dial func() *client) {
		pub := dial()
		pub.joins(t, "pub", 4, func(p *packets.Packet) { p.Connect.Keepalive = 0 })
		leave := func(seconds uint32) func(c *client) {
			return func(c *client) {
				_ = c.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Disconnect}, Properties: packets.Properties{SessionExpiryInterval: seconds, SessionExpiryIntervalFlag: true}})
			}
		}
		cut := func(c *client) { _ = c.c.Close() }
		clean := func(p *packets.Packet) { p.Connect.Clean = true }
		bye := func(c *client) {
			_ = c.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Disconnect}})
		}
		for what, tc := range map[string]struct {
			version byte
			first   option
			leave   func(*client)
			away    time.Duration
			again   option
			present bool
		}{
			"3.1.1 kept":                  {4, persistent(0), cut, 59 * time.Minute, persistent(0), true},
			"3.1.1 kept after DISCONNECT": {4, persistent(0), bye, 59 * time.Minute, persistent(0), true},
			"3.1.1 over":                  {4, persistent(0), cut, 61 * time.Minute, persistent(0), false},
			"3.1.1 clean":                 {4, clean, cut, 0, persistent(0), false},
			"3.1.1 cleaned":               {4, persistent(0), cut, 0, clean, false},
			"5 kept":                      {5, persistent(60), cut, 58 * time.Second, persistent(60), true},
			"5 over":                      {5, persistent(60), cut, 62 * time.Second, persistent(60), false},
			"5 none":                      {5, persistent(0), cut, 0, persistent(60), false},
			"5 cleaned":                   {5, persistent(60), cut, 0, clean, false},
			"5 for ever is the limit":     {5, persistent(0xffffffff), cut, 59 * time.Minute, persistent(60), true},
			"5 for ever is over":          {5, persistent(0xffffffff), cut, 61 * time.Minute, persistent(60), false},
			"5 shortened at the end":      {5, persistent(60), leave(0), 0, persistent(60), false},
			"5 lengthened at the end":     {5, persistent(60), leave(600), 300 * time.Second, persistent(60), true},
			"5 kept from 3.1.1":           {4, persistent(0), cut, 0, persistent(60), true},
		} {
			c := dial()
			c.joins(t, "c", tc.version, tc.first)
			c.subscribe(t, 1, "s")
			tc.leave(c)
			time.Sleep(time.Second)
			_ = c.c.Close()
			pub.publish(t, "s", []byte(what), 1, false)
			pub.sync(t)
			time.Sleep(tc.away)
			version := tc.version
			if strings.HasSuffix(what, "from 3.1.1") {
				version = 5
			}
			c = dial()
			ack, err := c.try("c", version, tc.again)
			if err != nil || ack.SessionPresent != tc.present {
				t.Errorf("%s: session present %v, %v, wanted %v", what, ack.SessionPresent, err, tc.present)
			}
			want := 0
			if tc.present {
				want = 1
			}
			if got := c.drained(t); len(got) != want {
				t.Errorf("%s: got %q, wanted %d messages", what, got, want)
			}
			_ = c.c.Close()
			time.Sleep(61 * time.Minute)
		}
		if n := b.Stats().Sessions; n != 1 {
			t.Errorf("%d sessions are left, wanted the publisher's", n)
		}
		// A session cannot come into being at the end [MQTT-3.14.2-2].
		c := dial()
		c.joins(t, "c", 5)
		leave(5)(c)
		if pk := c.want(t, packets.Disconnect); pk.ReasonCode != packets.ErrProtocolViolation.Code {
			t.Errorf("expiry out of nothing: DISCONNECT %#x, wanted 0x82", pk.ReasonCode)
		}
	})
}

// The longest absent goes when too many are.
func TestAbsentSessionsAreBounded(t *testing.T) {
	b := start(t, Options{Limits: Limits{Sessions: 3}})
	for i := range 6 {
		c := join(t, b.addr, fmt.Sprint("c", i), 4, persistent(0))
		c.subscribe(t, 1, "x")
		_ = c.c.Close()
		testkit.Until(t, "away", func() bool { return b.Stats().Clients == 0 })
	}
	for i := range 6 {
		c := dial(t, b.addr)
		ack, err := c.try(fmt.Sprint("c", i), 4, persistent(0))
		if err != nil || ack.SessionPresent != (i > 2) {
			t.Errorf("client %d: session present %v, %v", i, ack.SessionPresent, err)
		}
	}
}

// Both sides' Maximum Packet Size, and messages that have become too old.
func TestSizesAndAges(t *testing.T) {
	bubble(t, Options{Limits: Limits{Packet: 5000}}, func(b *Broker, dial func() *client) {
		small := dial()
		small.joins(t, "small", 5, persistent(1000), func(p *packets.Packet) { p.Properties.MaximumPacketSize = 50 })
		small.subscribe(t, 1, "#")
		pub := dial()
		pub.joins(t, "pub", 5)
		for _, n := range []int{10, 100, 44, 45, 11} { // a packet of 44 is 50 bytes long
			for _, qos := range []byte{0, 1} {
				pub.publish(t, "t", make([]byte, n-2*int(qos)), qos, false)
			}
		}
		pub.sync(t)
		var got []int
		for _, m := range small.drained(t) {
			got = append(got, len(m)-2)
		}
		if want := []int{10, 8, 44, 42, 11, 9}; !slices.Equal(got, want) {
			t.Errorf("payloads of %d bytes, wanted %d [MQTT-3.1.2-24]", got, want)
		}
		_ = small.c.Close()
		time.Sleep(time.Second)
		for _, m := range []struct {
			payload string
			expiry  uint32
		}{{"never", 0}, {"old", 10}, {"young", 100}} {
			_ = pub.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: 1}, TopicName: "t", PacketID: 1, Payload: []byte(m.payload), Properties: packets.Properties{MessageExpiryInterval: m.expiry}})
			pub.want(t, packets.Puback)
		}
		time.Sleep(30 * time.Second)
		small = dial()
		small.joins(t, "small", 5, persistent(1000))
		if pk := small.message(t); string(pk.Payload) != "never" || pk.Properties.MessageExpiryInterval != 0 {
			t.Errorf("%s with expiry %d", pk.Payload, pk.Properties.MessageExpiryInterval)
		}
		if pk := small.message(t); string(pk.Payload) != "young" || pk.Properties.MessageExpiryInterval < 69 || pk.Properties.MessageExpiryInterval > 70 {
			t.Errorf("%s with expiry %d, wanted what is left of 100", pk.Payload, pk.Properties.MessageExpiryInterval)
		}
		pub.sync(t)
		_, _ = pub.c.Write([]byte{0x32, 0xf0, 0x2e}) // 6000 bytes to come
		if pk := pub.want(t, packets.Disconnect); pk.ReasonCode != packets.ErrPacketTooLarge.Code {
			t.Errorf("a packet over the server's limit: DISCONNECT %#x, wanted 0x95", pk.ReasonCode)
		}
	})
}

// Clients without an identifier get one, and a new one each [MQTT-3.1.3-6],
// [MQTT-3.2.2-16].
func TestEmptyIdentifier(t *testing.T) {
	b := start(t, Options{})
	seen := map[string]bool{}
	for range 3 {
		c := dial(t, b.addr)
		ack, err := c.try("", 5)
		if id := ack.Properties.AssignedClientID; err != nil || ack.ReasonCode != 0 || id == "" || seen[id] {
			t.Errorf("assigned %q, %#x, %v", id, ack.ReasonCode, err)
		}
		seen[ack.Properties.AssignedClientID] = true
		c.sync(t)
	}
	one, two := join(t, b.addr, "", 4), join(t, b.addr, "", 4)
	one.sync(t)
	two.sync(t)
	if ack, err := dial(t, b.addr).try("named", 5); err != nil || ack.Properties.AssignedClientID != "" {
		t.Errorf("a client with an identifier was given %q, %v", ack.Properties.AssignedClientID, err)
	}
}

// Share groups: each message once to each group, members in turn, and two groups do
// not disturb each other's turns.
func TestShareGroups(t *testing.T) {
	b := start(t, Options{})
	var members []*client
	for i, filter := range []string{"$share/one/s/#", "$share/one/s/#", "$share/two/s/+", "$share/two/s/+"} {
		c := join(t, b.addr, fmt.Sprint("m", i), 5)
		c.subscribe(t, 1, filter)
		members = append(members, c)
	}
	pub := join(t, b.addr, "pub", 4)
	for i := range 20 {
		pub.publish(t, "s/x", fmt.Append(nil, i), byte(i%2), false)
	}
	pub.sync(t)
	for i, c := range members {
		if got := c.drained(t); len(got) != 10 {
			t.Errorf("member %d got %d of 20, wanted half", i, len(got))
		}
	}
	members[0].talk(t, "no retained messages for groups", talk{"", ""})
	pub.publish(t, "s/r", []byte("kept"), 0, true)
	pub.sync(t)
	late := join(t, b.addr, "late", 5)
	late.subscribe(t, 0, "$share/three/s/r")
	if got := late.drained(t); len(got) != 0 {
		t.Errorf("a new member of a group got %q", got)
	}
}

// Requests and their answers by response topic and correlation data, which pass as they
// are, as do user properties in their order [MQTT-3.3.2-15] to 20.
func TestRequestResponse(t *testing.T) {
	b := start(t, Options{})
	server, asker := join(t, b.addr, "server", 5), join(t, b.addr, "asker", 5)
	server.subscribe(t, 1, "ask/+")
	asker.subscribe(t, 1, "answers/asker")
	sent := packets.Properties{
		ResponseTopic: "answers/asker", CorrelationData: []byte{0, 1, 255}, ContentType: "text/plain", PayloadFormat: 1, PayloadFormatFlag: true,
		User: []packets.UserProperty{{Key: "b", Val: "1"}, {Key: "a", Val: "2"}, {Key: "b", Val: "3\n"}},
	}
	_ = asker.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: 1}, PacketID: 1, TopicName: "ask/time", Payload: []byte("?"), Properties: sent})
	q := server.message(t).Properties
	if q.ResponseTopic != sent.ResponseTopic || !bytes.Equal(q.CorrelationData, sent.CorrelationData) || q.ContentType != sent.ContentType || !q.PayloadFormatFlag || !slices.Equal(q.User, sent.User) {
		t.Errorf("the question came with %+v", q)
	}
	_ = server.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: 1}, PacketID: 1, TopicName: q.ResponseTopic, Payload: []byte("!"), Properties: packets.Properties{CorrelationData: q.CorrelationData}})
	if pk := asker.message(t); string(pk.Payload) != "!" || !bytes.Equal(pk.Properties.CorrelationData, sent.CorrelationData) {
		t.Errorf("the answer %q with %x", pk.Payload, pk.Properties.CorrelationData)
	}
}

// A viewer on a line that hardly moves, with pictures and states piling up, gets the
// result it waits for: what is replaced or left out is never an acknowledged message.
func TestSlowViewerGetsItsResult(t *testing.T) {
	bubble(t, Options{Limits: Limits{SendBytes: 20_000}}, func(b *Broker, dial func() *client) {
		viewer := dial()
		viewer.joins(t, "viewer", 4, func(p *packets.Packet) { p.Connect.Keepalive = 0 })
		viewer.subscribe(t, 1, "cam/#")
		cam := dial()
		cam.joins(t, "front", 4, func(p *packets.Packet) { p.Connect.Keepalive = 0 })
		results := 0
		for i := range 300 {
			cam.publish(t, "cam/front/frame", make([]byte, 50_000), 0, false)
			cam.publish(t, "cam/front/stats", make([]byte, 300), 0, false)
			cam.publish(t, "cam/front/state", fmt.Append(nil, i), 0, true)
			if i%50 == 7 {
				cam.publish(t, "cam/front/result", fmt.Append(nil, "result ", i), 1, false)
				results++
			}
			cam.sync(t)
		}
		if n := b.Stats().MessagesDropped; n == 0 {
			t.Error("nothing was dropped: the viewer is not slow enough for this test")
		}
		var got []string
		for len(got) < results {
			pk := viewer.message(t)
			if pk.TopicName == "cam/front/result" {
				got = append(got, string(pk.Payload))
			}
			time.Sleep(time.Second)
		}
		for i, r := range got {
			if want := fmt.Sprint("result ", i*50+7); r != want {
				t.Errorf("result %d is %q, wanted %q", i, r, want)
			}
		}
	})
}
