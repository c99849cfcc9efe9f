package broker

import (
	"bytes"
	"encoding/binary"
	"strings"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"
)

// message is one published message on its way through the broker. It is not changed
// once it was published.
type message struct {
	topic  string
	kind   kind
	cam    *camera // of a picture
	load   *load   // never nil; borrowed unless the message is kept somewhere
	qos    byte
	retain bool
	from   string // the publisher's client id, for no-local
	// account is that of the publisher, in a form that is different for every client
	// without one.
	account string
	command bool                // to a camera or to all: a command or a setting
	props   *packets.Properties // nil: none
	expiry  int64               // Unix seconds; 0 never. [MQTT-3.3.2-5]
}

// size is about what keeping a message costs.
func (m *message) size() int {
	n := len(m.topic) + len(m.load.b)
	if p := m.props; p != nil {
		n += len(p.ContentType) + len(p.ResponseTopic) + len(p.CorrelationData)
		for _, u := range p.User {
			n += len(u.Key) + len(u.Val) + 32
		}
	}
	return n
}

// expired reports whether a message may no longer be sent.
func (m *message) expired(now time.Time) bool {
	return m.expiry > 0 && m.expiry <= now.Unix()
}

// delivery is one receiver's way of getting a message.
type delivery struct {
	version byte
	qos     byte
	retain  bool
	dup     bool
	id      uint16 // packet identifier, for QoS 1 and 2
	ids     []int  // subscription identifiers
}

// encode builds everything of a PUBLISH that precedes the payload.
func (m *message) encode(d delivery) []byte {
	var props []byte
	if d.version == 5 {
		props = m.properties(d.ids)
	}
	n := 2 + len(m.topic) + len(props) + len(m.load.b)
	first := byte(packets.Publish<<4) | d.qos<<1
	if d.retain {
		first |= 1
	}
	if d.dup {
		first |= 8
	}
	if d.qos > 0 {
		n += 2
	}
	b := make([]byte, 0, 7+2+len(m.topic)+len(props))
	b = appendLength(append(b, first), n)
	b = binary.BigEndian.AppendUint16(b, uint16(len(m.topic)))
	b = append(b, m.topic...)
	if d.qos > 0 {
		b = binary.BigEndian.AppendUint16(b, d.id)
	}
	return append(b, props...)
}

// properties encodes the MQTT 5 properties of a message with their length.
func (m *message) properties(ids []int) []byte {
	if m.props == nil && len(ids) == 0 && m.expiry == 0 {
		return []byte{0}
	}
	var p packets.Properties
	if m.props != nil {
		p = *m.props
	}
	p.SubscriptionIdentifier = ids
	p.TopicAlias, p.TopicAliasFlag = 0, false
	p.MessageExpiryInterval = 0
	if m.expiry > 0 { // [MQTT-3.3.2-6]
		p.MessageExpiryInterval = uint32(max(m.expiry-time.Now().Unix(), 1))
	}
	var b bytes.Buffer
	p.Encode(packets.Publish, packets.Mods{AllowResponseInfo: true}, &b, 0)
	return b.Bytes()
}

// appendLength appends a variable byte integer. [MQTT-1.5.5-1]
func appendLength(b []byte, n int) []byte {
	for n > 127 {
		b = append(b, byte(n)|128)
		n >>= 7
	}
	return append(b, byte(n))
}

// heads are the encodings of one QoS 0 message, each built at most once.
type heads struct {
	m    *message
	done [4][]byte
}

func (h *heads) get(version byte, retain bool, ids []int) []byte {
	k := 0
	if version == 5 {
		k |= 1
	}
	if retain {
		k |= 2
	}
	if len(ids) == 0 && h.done[k] != nil {
		return h.done[k]
	}
	b := h.m.encode(delivery{version: version, retain: retain, ids: ids})
	if len(ids) == 0 {
		h.done[k] = b
	}
	return b
}

// message takes a message out of a PUBLISH or will that the engine has decoded. The
// engine's strings share memory with the whole packet, so the topic is copied.
func (b *Broker) message(pk *packets.Packet) *message {
	m := &message{
		topic:  strings.Clone(pk.TopicName),
		load:   plain(pk.Payload),
		qos:    pk.FixedHeader.Qos,
		retain: pk.FixedHeader.Retain,
		from:   pk.Origin,
	}
	m.command, _ = cameraTopic(b.base, m.topic)
	if id, k := picture(b.base, m.topic); k != ordinary {
		m.kind, m.cam = k, b.cameras.get(id)
	}
	p := pk.Properties
	if p.PayloadFormatFlag || p.ContentType != "" || p.ResponseTopic != "" || len(p.CorrelationData) > 0 || len(p.User) > 0 {
		m.props = &packets.Properties{
			PayloadFormat: p.PayloadFormat, PayloadFormatFlag: p.PayloadFormatFlag,
			ContentType: p.ContentType, ResponseTopic: p.ResponseTopic,
			CorrelationData: p.CorrelationData, User: p.User,
		}
	}
	if p.MessageExpiryInterval > 0 {
		m.expiry = time.Now().Unix() + int64(p.MessageExpiryInterval)
	}
	return m
}
