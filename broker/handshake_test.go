package broker

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"camqtt/internal/testkit"

	"github.com/mochi-mqtt/server/v2/packets"
)

// talk is a conversation by bytes: what a client sends, and exactly what it is told.
type talk struct {
	send, want string // with blanks; want "" is nothing
}

func (c *client) talk(t *testing.T, what string, lines ...talk) {
	t.Helper()
	for i, l := range lines {
		if _, err := c.c.Write(unhex(t, l.send)); err != nil {
			t.Fatalf("%s, line %d: %v", what, i, err)
		}
		want := unhex(t, l.want)
		got := make([]byte, len(want))
		_ = c.c.SetReadDeadline(time.Now().Add(testkit.Patience))
		if n, err := io.ReadFull(c.r, got); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%s, line %d: got % x, %v, wanted % x", what, i, got[:n], err, want)
		}
	}
	c.sync(t) // and nothing more
}

// QoS 1 and 2 in both directions, by the bytes, for both versions [MQTT-4.3].
func TestHandshakes(t *testing.T) {
	b := start(t, Options{})
	for _, tc := range []struct {
		what    string
		version byte
		lines   []talk
	}{
		{"QoS 1 in", 4, []talk{{"32 06 0001 61 0007 78", "40 02 0007"}, {"3a 06 0001 61 0007 78", "40 02 0007"}}},
		{"QoS 1 in, 5, nobody listens", 5, []talk{{"32 07 0001 61 0007 00 78", "40 03 0007 10"}}},
		{"QoS 2 in", 4, []talk{{"34 06 0001 61 0007 78", "50 02 0007"}, {"3c 06 0001 61 0007 78", "50 02 0007"}, {"62 02 0007", "70 02 0007"}, {"62 02 0007", "70 02 0007"}}},
		{"QoS 2 in, 5", 5, []talk{{"34 07 0001 61 0007 00 78", "50 02 0007"}, {"62 02 0007", "70 02 0007"}}},
		{"QoS 1 out", 4, []talk{{"82 06 0001 0001 62 01", "90 03 0001 01"}, {"32 06 0001 62 0009 78", "32 06 0001 62 0001 78 40 02 0009"}, {"40 02 0001", ""}}},
		{"QoS 2 out", 4, []talk{
			{"82 06 0001 0001 63 02", "90 03 0001 02"},
			{"34 06 0001 63 0009 78", "34 06 0001 63 0001 78 50 02 0009"},
			{"50 02 0001", "62 02 0001"},
			{"50 02 0001", "62 02 0001"},
			{"70 02 0001", ""},
			{"62 02 0009", "70 02 0009"},
		}},
		{"QoS 2 out, 5, refused", 5, []talk{
			{"82 07 0001 00 0001 63 02", "90 04 0001 00 02"},
			{"30 05 0001 63 00 78", "30 05 0001 63 00 78"},
			{"34 07 0001 63 0009 00 78", "34 07 0001 63 0001 00 78 50 02 0009"},
			{"50 03 0001 97", ""},
			{"62 02 0009", "70 02 0009"},
		}},
		{"acknowledgements of nothing", 5, []talk{{"40 02 0005", ""}, {"50 02 0005", "62 02 0005"}, {"50 03 0005 80", ""}, {"70 02 0005", ""}, {"62 02 0005", "70 02 0005"}}},
		{"subscribe and unsubscribe", 4, []talk{{"82 0a 0001 0001 64 00 0001 65 02", "90 04 0001 00 02"}, {"a2 08 0002 0001 64 0001 66", "b0 02 0002"}}},
		{"subscribe and unsubscribe, 5", 5, []talk{
			{"82 13 0001 07 26 0001 6b 0001 76 0001 64 00 0002 2f23 01", "90 05 0001 00 00 01"},
			{"a2 09 0002 00 0001 64 0001 66", "b0 05 0002 00 00 11"},
		}},
		{"topic alias", 5, []talk{
			{"82 07 0001 00 0001 67 00", "90 04 0001 00 00"},
			{"30 08 0001 67 03 230001 78", "30 05 0001 67 00 78"},
			{"30 07 0000 03 230001 79", "30 05 0001 67 00 79"},
			{"30 08 0001 68 03 230001 78", ""},
			{"30 07 0000 03 230001 79", ""},
		}},
		{"PINGREQ", 4, []talk{{"c0 00 c0 00", "d0 00 d0 00"}}},
	} {
		c := join(t, b.addr, "talk", tc.version)
		c.talk(t, tc.what, tc.lines...)
		_ = c.c.Close()
		testkit.Until(t, "gone", func() bool { return b.Stats().Clients == 0 })
	}
	// Acknowledgements of another kind than the message needs.
	for what, ack := range map[string]string{"PUBREC": "50 02 0001", "PUBCOMP": "70 02 0001"} {
		c := join(t, b.addr, "talk", 5)
		c.talk(t, what, talk{"82 07 0001 00 0001 62 01", "90 04 0001 00 01"}, talk{"30 05 0001 62 00 78", "30 05 0001 62 00 78"})
		pub := join(t, b.addr, "pub", 4)
		pub.publish(t, "b", []byte("x"), 1, false)
		c.want(t, packets.Publish)
		_, _ = c.c.Write(unhex(t, ack))
		if got := c.rest(t); !bytes.Equal(got, []byte{0xe0, 1, 0x82}) {
			t.Errorf("%s for QoS 1: % x, wanted DISCONNECT with 0x82", what, got)
		}
	}
}

// A message at QoS 2 is delivered once however often it comes before PUBREL, also when
// the connection is lost in between; and what was acknowledged once is not again.
func TestExactlyOnce(t *testing.T) {
	b := start(t, Options{})
	watch := join(t, b.addr, "watch", 5)
	watch.subscribe(t, 0, "once")
	for _, v := range []byte{4, 5} {
		id := fmt.Sprint("pub", v)
		c := join(t, b.addr, id, v, persistent(100))
		pk := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: 2}, TopicName: "once", Payload: []byte("x"), PacketID: 5}
		_ = c.send(pk)
		if rec := c.want(t, packets.Pubrec); rec.ReasonCode != 0 {
			t.Errorf("PUBREC %#x", rec.ReasonCode)
		}
		_ = c.c.Close()
		testkit.Until(t, "away", func() bool { return b.Stats().Clients == 1 })
		c = join(t, b.addr, id, v, persistent(100))
		c.sync(t) // nothing is sent unasked [MQTT-4.4.0-1]
		pk.FixedHeader.Dup = true
		for range 3 {
			_ = c.send(pk)
			if rec := c.want(t, packets.Pubrec); rec.ReasonCode != 0 || rec.PacketID != 5 {
				t.Errorf("PUBREC of %d with %#x", rec.PacketID, rec.ReasonCode)
			}
		}
		_ = c.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Pubrel}, PacketID: 5})
		c.want(t, packets.Pubcomp)
		if got := watch.drained(t); !slices.Equal(got, []string{"once=x"}) {
			t.Errorf("v%d: delivered %q, wanted once", v, got)
		}
		pk.FixedHeader.Dup = false
		_ = c.send(pk) // the identifier is free again
		c.want(t, packets.Pubrec)
		if got := watch.drained(t); !slices.Equal(got, []string{"once=x"}) {
			t.Errorf("v%d: the identifier used again: %q", v, got)
		}
		_ = c.c.Close()
	}
	// More of them open than Receive Maximum [MQTT-3.3.4-7].
	c := join(t, b.addr, "greedy", 5)
	for i := range receiveMaximum + 1 {
		_ = c.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: 2}, TopicName: "t", PacketID: uint16(i + 1)})
	}
	if pk := c.want(t, packets.Disconnect); pk.ReasonCode != packets.ErrReceiveMaximum.Code {
		t.Errorf("DISCONNECT %#x, wanted 0x93", pk.ReasonCode)
	}
}

// What was sent and not acknowledged comes again with its identifier, in order, for
// QoS 2 from where it was [MQTT-4.4.0-1], [MQTT-4.6.0-1].
func TestResend(t *testing.T) {
	b := start(t, Options{})
	c := join(t, b.addr, "c", 5, persistent(100))
	c.subscribe(t, 2, "m")
	pub := join(t, b.addr, "pub", 4)
	qos := []byte{1, 2, 2, 1, 2}
	for i, q := range qos {
		pub.publish(t, "m", []byte{'0' + byte(i)}, q, false)
		if q == 2 {
			rec := pub.want(t, packets.Pubrec)
			_ = pub.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Pubrel}, PacketID: rec.PacketID})
		}
	}
	var ids []uint16
	for range qos {
		ids = append(ids, c.want(t, packets.Publish).PacketID)
	}
	ack := func(typ byte, i int) {
		_ = c.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: typ}, PacketID: ids[i]})
	}
	ack(packets.Pubrec, 1)
	c.want(t, packets.Pubrel)
	ack(packets.Pubrec, 2)
	c.want(t, packets.Pubrel)
	ack(packets.Pubcomp, 2)
	ack(packets.Puback, 3)
	c.sync(t)
	_ = c.c.Close()
	testkit.Until(t, "away", func() bool { return b.Stats().Clients == 1 })
	c = join(t, b.addr, "c", 5, persistent(100))
	for i, want := range []struct {
		typ byte
		n   int
	}{{packets.Publish, 0}, {packets.Pubrel, 1}, {packets.Publish, 4}} {
		pk, err := c.recv(testkit.Patience)
		if err != nil || pk.FixedHeader.Type != want.typ || pk.PacketID != ids[want.n] || want.typ == packets.Publish && !pk.FixedHeader.Dup {
			t.Errorf("packet %d: %s of %d, dup %v, %v; wanted %s of %d", i, packets.PacketNames[pk.FixedHeader.Type], pk.PacketID, pk.FixedHeader.Dup, err, packets.PacketNames[want.typ], ids[want.n])
		}
	}
	c.sync(t)
}
