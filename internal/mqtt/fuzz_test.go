package mqtt

import (
	"bytes"
	"strings"
	"testing"

	"github.com/mochi-mqtt/server/v2/packets"
)

// seed adds packets of the library's encoder to a fuzz target, without fixed header.
func seed(f *testing.F) {
	connect := packets.ConnectParams{
		ClientIdentifier: "c", Clean: true, Keepalive: 60, WillFlag: true, WillTopic: "w", WillPayload: []byte("x"), WillRetain: true,
		UsernameFlag: true, Username: []byte("u"), PasswordFlag: true, Password: []byte("p"),
	}
	for _, v := range []byte{3, 4, 5} {
		connect.ProtocolName = []byte("MQTT")
		if v == 3 {
			connect.ProtocolName = []byte("MQIsdp")
		}
		var b [6]bytes.Buffer
		pk := packets.Packet{
			ProtocolVersion: v, PacketID: 3, Connect: connect, TopicName: "a/b", Payload: []byte("p"), ReasonCode: 4,
			FixedHeader: packets.FixedHeader{Qos: 1}, Filters: packets.Subscriptions{{Filter: "$share/g/a", Qos: 1}, {Filter: "+/#"}},
			Properties: packets.Properties{
				ContentType: "c", User: []packets.UserProperty{{Key: "k", Val: "v"}}, MessageExpiryInterval: 5,
				SessionExpiryInterval: 5, SessionExpiryIntervalFlag: true, ReceiveMaximum: 2,
			},
		}
		for i, encode := range []func(*bytes.Buffer) error{
			pk.ConnectEncode, pk.PublishEncode, pk.SubscribeEncode, pk.UnsubscribeEncode, pk.PubackEncode, pk.DisconnectEncode,
		} {
			pk.FixedHeader.Type = [...]byte{Connect, Publish, Subscribe, Unsubscribe, Puback, Disconnect}[i]
			if err := encode(&b[i]); err != nil {
				f.Fatal(err)
			}
			p := b[i].Bytes()
			size, _ := FixedHeader(p)
			f.Add(v, p[0], p[size:])
		}
	}
}

// What passes is read as another decoder reads it.
func FuzzParse(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, version, first byte, body []byte) {
		version = 3 + version%3
		typ := first >> 4
		if typ != Connect && CheckFirstByte(version, first) != nil {
			return
		}
		want := packets.Packet{ProtocolVersion: version}
		want.FixedHeader = packets.FixedHeader{Type: typ, Qos: first >> 1 & 3, Remaining: len(body)}
		switch typ {
		case Connect:
			got, bad := ParseConnect(first, body)
			if bad == nil {
				if got.Version == 3 {
					body = bytes.Clone(body)
					body[got.flagsAt] &^= 1
				}
				read(t, want.ConnectDecode(body), body)
				sameConnect(t, got, want)
			}
		case Publish:
			size := publishHeadSize(version, first, body)
			if size < 0 {
				return
			}
			got, bad := ParsePublish(version, first, body[:size])
			if bad == nil {
				read(t, want.PublishDecode(body), body)
				samePublish(t, got, want, len(body)-size)
			}
		case Subscribe, Unsubscribe:
			sameFilters(t, version, typ, body, want)
		case Disconnect:
			if got, bad := ParseDisconnect(version, body); bad == nil && len(body) > 1 {
				read(t, want.DisconnectDecode(body), body)
				if byte(got.Code) != want.ReasonCode || got.SessionExpiry != want.Properties.SessionExpiryInterval {
					t.Fatalf("read %+v from % x", got, body)
				}
			}
		case Puback, Pubrec, Pubrel, Pubcomp:
			if got, bad := ParseAck(version, typ, body); bad == nil {
				read(t, want.PubackDecode(body), body)
				if got.ID != want.PacketID || byte(got.Code) != want.ReasonCode {
					t.Fatalf("read %+v from % x", got, body)
				}
			}
		}
	})
}

func read(t *testing.T, err error, body []byte) {
	t.Helper()
	if err != nil {
		t.Fatalf("the other decoder cannot read % x: %v", body, err)
	}
}

// publishHeadSize gives the size as a reader finds it that has few bytes at first; -1 is
// a violation.
func publishHeadSize(version, first byte, body []byte) int {
	for have := min(len(body), 4); ; {
		size, bad := PublishHeadSize(version, first, body[:have], len(body))
		if bad != nil {
			return -1
		}
		if size <= have {
			return size
		}
		have = size
	}
}

func sameConnect(t *testing.T, got ConnectPacket, want packets.Packet) {
	t.Helper()
	c := want.Connect
	if got.ClientID != c.ClientIdentifier || got.UserName != string(c.Username) || got.Password != string(c.Password) ||
		got.KeepAlive != c.Keepalive || got.Clean != c.Clean || (got.Will != nil) != c.WillFlag ||
		got.Props.SessionExpiry != want.Properties.SessionExpiryInterval || got.Props.ReceiveMaximum != want.Properties.ReceiveMaximum {
		t.Fatalf("read %+v, wanted %+v", got, want)
	}
	if w := got.Will; w != nil && (w.Topic != c.WillTopic || !bytes.Equal(w.Payload, c.WillPayload) || w.QoS != c.WillQos ||
		w.Retain != c.WillRetain || w.Props.WillDelay != c.WillProperties.WillDelayInterval) {
		t.Fatalf("read the will %+v, wanted %+v", w, c)
	}
}

func samePublish(t *testing.T, got PublishPacket, want packets.Packet, payload int) {
	t.Helper()
	if got.Topic != want.TopicName || got.ID != want.PacketID || payload != len(want.Payload) || got.Alias() != want.Properties.TopicAlias {
		t.Fatalf("read %+v, wanted %+v", got, want)
	}
	if p := got.Props; p != nil && (p.ContentType != want.Properties.ContentType || len(p.User) != len(want.Properties.User) ||
		p.ResponseTopic != want.Properties.ResponseTopic || !bytes.Equal(p.CorrelationData, want.Properties.CorrelationData) ||
		p.MessageExpiry != want.Properties.MessageExpiryInterval) {
		t.Fatalf("read %+v, wanted %+v", p, want.Properties)
	}
}

func sameFilters(t *testing.T, version, typ byte, body []byte, want packets.Packet) {
	t.Helper()
	parse, decode := ParseSubscribe, want.SubscribeDecode
	if typ == Unsubscribe {
		parse, decode = ParseUnsubscribe, want.UnsubscribeDecode
	}
	got, bad := parse(version, body)
	if bad != nil {
		return
	}
	read(t, decode(body), body)
	if got.ID != want.PacketID || len(got.Filters) != len(want.Filters) {
		t.Fatalf("read %+v, wanted %+v", got, want)
	}
	for i, f := range got.Filters {
		w := want.Filters[i]
		if f.Filter != w.Filter || typ == Subscribe && (f.QoS != w.Qos || f.NoLocal != w.NoLocal ||
			f.RetainAsPublished != w.RetainAsPublished || f.RetainHandling != w.RetainHandling || got.SubscriptionID != w.Identifier) {
			t.Fatalf("filter %d: read %+v, wanted %+v", i, f, w)
		}
	}
}

// FuzzHeader holds FixedHeader to the bounds of the standard and to AppendLength.
func FuzzHeader(f *testing.F) {
	f.Add([]byte{0x30, 0x80, 0x01})
	f.Add([]byte{0x30, 0xff, 0xff, 0xff, 0x7f})
	f.Fuzz(func(t *testing.T, b []byte) {
		size, n := FixedHeader(b)
		if size == 0 {
			return
		}
		if size > 5 || size > len(b) || n < 0 || n > MaxRemaining {
			t.Fatalf("FixedHeader(%x) = %d, %d", b, size, n)
		}
		if again := AppendLength([]byte{b[0]}, n); len(again) > size {
			t.Errorf("%d takes %d bytes, read from %d", n, len(again), size)
		}
	})
}

// matchesLevels is Matches written for the reader: level by level, over slices.
func matchesLevels(filter, topic []string) bool {
	switch {
	case len(filter) == 1 && filter[0] == "#":
		return true
	case len(filter) == 0 || len(topic) == 0:
		return len(filter) == len(topic)
	case filter[0] != "+" && filter[0] != topic[0]:
		return false
	}
	return matchesLevels(filter[1:], topic[1:])
}

func FuzzMatches(f *testing.F) {
	for _, s := range [][2]string{{"cam/+/frame", "cam/front/frame"}, {"a/#", "a"}, {"#", "$SYS/x"}, {"/", "//"}, {"+/#", "a"}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, filter, topic string) {
		got := Matches(filter, topic)
		if filter == "" || topic == "" || HasWildcard(topic) || !ValidWildcards(filter) || topic[0] == '$' && filter[0] != '$' {
			return
		}
		if want := matchesLevels(strings.Split(filter, "/"), strings.Split(topic, "/")); got != want {
			t.Errorf("Matches(%q, %q) = %v", filter, topic, got)
		}
	})
}

// What is written is read back, and every property that is forwarded is among it.
func FuzzPublishHead(f *testing.F) {
	f.Add("a/b", byte(1), uint16(7), "text", "k", []byte("c"), uint32(5))
	f.Fuzz(func(t *testing.T, topic string, qos byte, id uint16, text, key string, data []byte, expiry uint32) {
		m := PublishPacket{Topic: topic, QoS: qos % 3, ID: max(id, 1), Props: &Properties{
			ContentType: text, CorrelationData: data, MessageExpiry: expiry, User: []UserProperty{{Key: key, Value: text}},
		}}
		head := m.AppendHead(nil, 5, 3)
		size, n := FixedHeader(head)
		if size == 0 || n != len(head)-size+3 {
			t.Fatalf("header of % x says %d bytes, wanted %d", head, n, len(head)-size+3)
		}
		got, bad := ParsePublish(5, head[0], head[size:])
		if bad != nil {
			return
		}
		if got.Topic != topic || got.QoS != m.QoS || got.Props.ContentType != text || got.Props.User[0] != m.Props.User[0] ||
			!bytes.Equal(got.Props.CorrelationData, data) || got.Props.MessageExpiry != expiry {
			t.Errorf("read %+v %+v, wanted %+v %+v", got, got.Props, m, m.Props)
		}
	})
}

// A CONNECT with other credentials is the same otherwise.
func FuzzReplaceCredentials(f *testing.F) {
	f.Add(byte(0x10), []byte("\x00\x04MQTT\x04\x02\x00\x3c\x00\x01a"), "me", "pw")
	f.Fuzz(func(t *testing.T, first byte, body []byte, user, password string) {
		if first>>4 != Connect || len(user)+len(password) > 1000 || password != "" && user == "" || !Printable([]byte(user)) {
			return
		}
		before, bad := ParseConnect(first, body)
		if bad != nil {
			return
		}
		out, bad := ReplaceCredentials(append(AppendLength([]byte{first}, len(body)), body...), user, password)
		if bad != nil {
			t.Fatalf("% x: %v", body, bad)
		}
		size, n := FixedHeader(out)
		after, bad := ParseConnect(out[0], out[size:])
		if strings.ToValidUTF8(user, "") != user {
			return
		}
		if bad != nil || size+n != len(out) || after.UserName != user || after.Password != password ||
			after.ClientID != before.ClientID || (after.Will == nil) != (before.Will == nil) {
			t.Fatalf("% x became % x: %v", body, out, bad)
		}
	})
}
