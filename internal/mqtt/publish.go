package mqtt

import (
	"encoding/binary"
	"strings"
)

// PublishPacket is a PUBLISH without its payload. MQTT 5, section 3.3.
type PublishPacket struct {
	Topic  string
	QoS    byte
	Retain bool
	Dup    bool
	ID     uint16      // packet identifier; 0 at QoS 0
	Props  *Properties // nil: none
}

// PublishHeadSize says how many bytes of a PUBLISH come between its fixed header and its
// payload. If have does not hold them all, it returns how many bytes are needed to say
// so. remaining is the remaining length.
func PublishHeadSize(version, first byte, have []byte, remaining int) (int, *Violation) {
	if remaining < 2 {
		return 0, malformed("packet ends inside its topic")
	}
	if len(have) < 2 {
		return 2, nil
	}
	h := 2 + int(binary.BigEndian.Uint16(have))
	if first&6 != 0 {
		h += 2
	}
	for i := 0; version >= 5; i++ {
		switch {
		case h >= remaining || i == 4:
			return 0, malformed("packet ends inside its properties")
		case len(have) <= h:
			return h + 1, nil
		case have[h] < 128: // the last byte of the properties' length
			p := parser{rest: have[h-i : h+1]}
			size := p.length()
			if h+1+size > remaining {
				return 0, malformed("properties are longer than the packet")
			}
			return h + 1 + size, p.bad
		}
		h++
	}
	if h > remaining {
		return 0, malformed("packet ends inside its topic")
	}
	return h, nil
}

// ParsePublish reads what comes before the payload of a PUBLISH from a client, of the
// size that [PublishHeadSize] gives.
func ParsePublish(version, first byte, head []byte) (PublishPacket, *Violation) {
	return parsePublish(version, first, head, inPublish)
}

// ParseBrokerPublish is [ParsePublish] for a PUBLISH from a broker.
func ParseBrokerPublish(version, first byte, head []byte) (PublishPacket, *Violation) {
	return parsePublish(version, first, head, inBrokerPublish)
}

func parsePublish(version, first byte, head []byte, in place) (PublishPacket, *Violation) {
	p := parser{rest: head}
	m := PublishPacket{Topic: string(p.name()), QoS: first >> 1 & 3, Retain: first&1 != 0, Dup: first&8 != 0}
	if m.QoS > 0 {
		m.ID = p.packetID()
	}
	if version >= 5 && p.bad == nil {
		if len(p.rest) > 0 && p.rest[0] == 0 {
			p.rest = p.rest[1:]
		} else {
			props := p.properties(in)
			m.Props = &props
		}
	}
	switch {
	case p.bad != nil:
	case HasWildcard(m.Topic):
		p.fail(malformed("topic contains a wildcard [MQTT-3.3.2-2]"))
	case m.Topic == "" && m.Alias() == 0:
		p.fail(malformed("topic is empty [MQTT-4.7.3-1]"))
	}
	return m, p.end()
}

// Alias gives the topic alias; 0 is none.
func (m *PublishPacket) Alias() uint16 {
	if m.Props == nil {
		return 0
	}
	return m.Props.TopicAlias
}

// AppendHead appends everything of a PUBLISH that precedes a payload of n bytes.
func (m *PublishPacket) AppendHead(b []byte, version byte, n int) []byte {
	first := byte(Publish<<4) | m.QoS<<1
	if m.Retain {
		first |= 1
	}
	if m.Dup {
		first |= 8
	}
	var props []byte
	if version >= 5 {
		var few [64]byte
		props = m.Props.appendMessageProperties(few[:0])
	}
	n += 2 + len(m.Topic) + len(props)
	if m.QoS > 0 {
		n += 2
	}
	b = AppendString(AppendLength(append(b, first), n), m.Topic)
	if m.QoS > 0 {
		b = binary.BigEndian.AppendUint16(b, m.ID)
	}
	return append(b, props...)
}

// AckPacket is PUBACK, PUBREC, PUBREL or PUBCOMP. MQTT 5, sections 3.4 to 3.7.
type AckPacket struct {
	Type byte
	ID   uint16
	Code Code
}

// ParseAck reads what follows the fixed header of an acknowledgement from a client.
func ParseAck(version, typ byte, body []byte) (AckPacket, *Violation) {
	p := parser{rest: body}
	a := AckPacket{Type: typ, ID: p.packetID()}
	a.Code, _ = parseReason(&p, version, inAck, typ)
	return a, p.end()
}

// Encode gives the packet. A reason code other than 0 is written for MQTT 5.
func (a AckPacket) Encode(version byte) []byte {
	b := []byte{a.Type<<4 | flagsOf(a.Type), 2, byte(a.ID >> 8), byte(a.ID)}
	if version >= 5 && a.Code != Success {
		b[1] = 3
		b = append(b, byte(a.Code))
	}
	return b
}

// parseReason reads the reason code and properties with which MQTT 5 packets may end.
func parseReason(p *parser, version byte, in place, typ byte) (c Code, props Properties) {
	if version < 5 || len(p.rest) == 0 {
		return 0, props
	}
	code := p.uint8()
	if !validReason(typ, code) {
		p.fail(forbidden("reason code does not belong to this packet"))
	}
	if len(p.rest) > 0 {
		props = p.properties(in)
	}
	return Code(code), props
}

// validReason reports whether a client may give a reason code in a packet.
// [MQTT-3.4.2-1], [MQTT-3.5.2-1], [MQTT-3.6.2-1], [MQTT-3.7.2-1], [MQTT-3.14.2-1]
func validReason(typ, code byte) bool {
	var valid string
	switch typ {
	case Puback, Pubrec:
		valid = "\x00\x10\x80\x83\x87\x90\x91\x97\x99"
	case Pubrel, Pubcomp:
		valid = "\x00\x92"
	case Disconnect:
		valid = "\x00\x04\x80\x81\x82\x83\x90\x93\x94\x95\x96\x97\x98\x99"
	}
	return strings.IndexByte(valid, code) >= 0
}
