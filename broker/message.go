package broker

import (
	"time"

	"camqtt/broker/internal/sendqueue"
	"camqtt/broker/internal/sharedbuffer"
	"camqtt/internal/mqtt"
)

// message is one published message on its way through the broker. It is not changed
// once it was published.
type message struct {
	topic   string
	kind    kind
	cam     *camera              // of a picture
	payload *sharedbuffer.Buffer // never nil; borrowed unless the message is kept somewhere
	qos     byte
	retain  bool
	from    string // the publisher's client id, for no-local
	// account is that of the publisher, in a form that is different for every client
	// without one.
	account string
	command bool             // to a camera or to all: a command or a setting
	props   *mqtt.Properties // nil: none; without expiry
	expiry  int64            // Unix seconds; 0 never. [MQTT-3.3.2-5]
}

// size is about what keeping a message costs.
func (m *message) size() int {
	n := len(m.topic) + len(m.payload.Bytes)
	if p := m.props; p != nil {
		n += len(p.ContentType) + len(p.ResponseTopic) + len(p.CorrelationData)
		for _, u := range p.User {
			n += len(u.Key) + len(u.Value) + 32
		}
	}
	return n
}

// picture gives the packet of a picture.
func (m *message) picture(head []byte) sendqueue.Packet {
	return sendqueue.Packet{Topic: m.topic, AtEnd: m.kind == snapshot, Counter: m.cam, Head: head, Payload: m.payload}
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
	p := mqtt.PublishPacket{Topic: m.topic, QoS: d.qos, Retain: d.retain, Dup: d.dup, ID: d.id}
	if d.version == 5 {
		p.Props = m.properties(d.ids)
	}
	return p.AppendHead(make([]byte, 0, 16+len(m.topic)), d.version, len(m.payload.Bytes))
}

// properties gives the MQTT 5 properties of a message for one receiver; nil is none.
func (m *message) properties(ids []int) *mqtt.Properties {
	if len(ids) == 0 && m.expiry == 0 {
		return m.props
	}
	var p mqtt.Properties
	if m.props != nil {
		p = *m.props
	}
	p.SubscriptionIDs = ids
	if m.expiry > 0 { // [MQTT-3.3.2-6]
		p.MessageExpiry = uint32(max(m.expiry-time.Now().Unix(), 1))
	}
	return &p
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
