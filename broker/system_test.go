package broker

import (
	"slices"
	"strings"
	"testing"
	"time"

	"camqtt/internal/testkit"

	"github.com/mochi-mqtt/server/v2/packets"
)

// What people's dashboards look at, retained and live, and by the numbers.
func TestSystemTopics(t *testing.T) {
	b := start(t, Options{Version: "1.2.3", Limits: Limits{SystemEvery: 20 * time.Millisecond}})
	c := join(t, b.addr, "c", 5)
	c.subscribe(t, 0, "$SYS/#")
	got := map[string]string{}
	testkit.Until(t, "all of it", func() bool {
		for _, m := range c.drained(t) {
			topic, v, _ := strings.Cut(m, "=")
			got[topic] = v
		}
		return got["$SYS/broker/clients/connected"] == "1"
	})
	if v := got["$SYS/broker/version"]; v != "camqtt version 1.2.3" {
		t.Errorf("version %q", v)
	}
	if v := got["$SYS/broker/uptime"]; !strings.HasSuffix(v, " seconds") {
		t.Errorf("uptime %q, wanted as mosquitto has it", v)
	}
	pub := join(t, b.addr, "pub", 4)
	pub.publish(t, "cam/front/frame", make([]byte, 3000), 0, false)
	pub.publish(t, "a", []byte("1"), 1, true)
	pub.sync(t)
	join(t, b.addr, "sub", 4).subscribe(t, 0, "a", "b")
	want := map[string]string{
		"clients/connected": "3", "clients/total": "3", "clients/maximum": "3", "clients/disconnected": "0",
		"retained messages/count": "1", "subscriptions/count": "3", "publish/messages/received": "2", "pictures/received": "1",
	}
	testkit.Until(t, "the numbers", func() bool {
		for _, m := range c.drained(t) {
			topic, v, _ := strings.Cut(m, "=")
			got[topic] = v
		}
		for name, v := range want {
			if got["$SYS/broker/"+name] != v {
				return false
			}
		}
		return true
	})
	// Wildcards at the front do not reach there, shared or not [MQTT-4.7.2-1].
	w := join(t, b.addr, "w", 5)
	w.subscribe(t, 0, "#", "+/broker/uptime", "$share/g/#")
	s := join(t, b.addr, "s", 5)
	s.subscribe(t, 0, "$share/g/$SYS/broker/uptime")
	if got := w.drained(t); !slices.Equal(got, []string{"a=1"}) {
		t.Errorf("retained for # and the like: %q", got)
	}
	c.drained(t) // what has come so far
	testkit.Until(t, "more of it", func() bool { return len(c.drained(t)) > 0 })
	pub.publish(t, "b", []byte("2"), 0, false)
	pub.sync(t)
	if got := w.drained(t); !slices.Equal(got, []string{"b=2"}) && !slices.Equal(got, []string{"b=2", "b=2"}) {
		t.Errorf("# and the like got %q", got)
	}
	if b.retained.topics("$SYS/#") != nil {
		t.Error("$SYS is in the retained store")
	}
	for _, pk := range []packets.Packet{{TopicName: "$SYS/broker/uptime", Payload: []byte("9")}, {TopicName: "$other", Payload: []byte("9")}} {
		pk.FixedHeader = packets.FixedHeader{Type: packets.Publish, Qos: 1, Retain: true}
		pk.PacketID = 7
		_ = s.send(pk)
		if ack := s.want(t, packets.Puback); ack.ReasonCode != packets.ErrNotAuthorized.Code {
			t.Errorf("publish to %s: PUBACK %#x, wanted 0x87", pk.TopicName, ack.ReasonCode)
		}
	}
}

// A client that wants to be silent for longer than the limit is told, if it can be.
func TestKeepaliveLimit(t *testing.T) {
	bubble(t, Options{Limits: Limits{Keepalive: 100 * time.Second}}, func(b *Broker, dial func() *client) {
		for _, tc := range []struct {
			version byte
			asks    uint16
			told    uint16
			lives   time.Duration
		}{
			{5, 0, 100, 150 * time.Second},
			{5, 101, 100, 150 * time.Second},
			{5, 100, 0, 150 * time.Second},
			{5, 10, 0, 15 * time.Second},
			{4, 200, 0, 300 * time.Second},
		} {
			c := dial()
			ack, err := c.try("c", tc.version, func(p *packets.Packet) { p.Connect.Keepalive = tc.asks })
			if err != nil || ack.Properties.ServerKeepAlive != tc.told || ack.Properties.ServerKeepAliveFlag != (tc.told > 0) {
				t.Errorf("v%d keepalive %d: told %d, %v, wanted %d", tc.version, tc.asks, ack.Properties.ServerKeepAlive, err, tc.told)
			}
			time.Sleep(tc.lives - time.Second)
			if n := b.Stats().Clients; n != 1 {
				t.Errorf("v%d keepalive %d: closed too early", tc.version, tc.asks)
			}
			time.Sleep(2 * time.Second)
			if n := b.Stats().Clients; n != 0 {
				t.Errorf("v%d keepalive %d: still open", tc.version, tc.asks)
			}
		}
	})
}

func TestListenerCap(t *testing.T) {
	b := start(t, Options{Limits: Limits{PerListener: 2, ConnectTime: time.Hour}})
	first := join(t, b.addr, "a", 4)
	join(t, b.addr, "b", 4)
	dial(t, b.addr).closedBy(t)
	p := pipe(t, b.Broker) // has nothing to do with that listener
	p.joins(t, "inside", 4)
	_ = first.c.Close()
	testkit.Until(t, "a place", func() bool {
		_, err := dial(t, b.addr).try("c", 4)
		return err == nil
	})
}
