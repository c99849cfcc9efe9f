package mqtt

import (
	"bytes"
	"encoding/binary"
)

// UserProperty is a name and a value that a client adds to a packet. MQTT 5, 3.3.2.3.7.
type UserProperty struct{ Key, Value string }

// Properties are those MQTT 5 properties that a broker keeps, forwards or obeys. Zero
// values stand for absent properties unless a Has field says otherwise.
type Properties struct {
	// Of PUBLISH and wills, to be forwarded. [MQTT-3.3.2-4], [MQTT-3.3.2-15] to 20
	HasPayloadFormat bool
	PayloadFormat    byte
	ContentType      string
	ResponseTopic    string
	CorrelationData  []byte
	User             []UserProperty
	MessageExpiry    uint32 // seconds

	TopicAlias      uint16 // of PUBLISH
	SubscriptionIDs []int  // of PUBLISH from a broker, and of SUBSCRIBE
	WillDelay       uint32 // of wills, in seconds

	// Of CONNECT; SessionExpiry also of DISCONNECT and CONNACK, in seconds.
	HasSessionExpiry     bool
	SessionExpiry        uint32
	ReceiveMaximum       uint16
	MaximumPacketSize    uint32
	AuthenticationMethod string
	NoProblemInformation bool
}

// place is a bit for every packet that may carry properties.
type place uint16

const (
	inConnect place = 1 << iota
	inWill
	inPublish
	inAck // PUBACK, PUBREC, PUBREL, PUBCOMP
	inSubscribe
	inUnsubscribe
	inDisconnect
	inBrokerPublish // PUBLISH that a broker sends

	unknownPlace place = 0x8000
)

// placesOf gives the packets in which a property may be. MQTT 5, table 2-4. It is 0 for
// one that only servers send, outside PUBLISH.
func placesOf(id int) place {
	const message = inPublish | inBrokerPublish | inWill
	switch id {
	case 0x01, 0x02, 0x03, 0x08, 0x09:
		return message
	case 0x0b:
		return inSubscribe | inBrokerPublish
	case 0x11:
		return inConnect | inDisconnect
	case 0x15, 0x16, 0x17, 0x19, 0x21, 0x22, 0x27:
		return inConnect
	case 0x18:
		return inWill
	case 0x1f:
		return inAck | inDisconnect
	case 0x23:
		return inPublish | inBrokerPublish
	case 0x26:
		return message | inConnect | inAck | inSubscribe | inUnsubscribe | inDisconnect
	case 0x12, 0x13, 0x1a, 0x1c, 0x24, 0x25, 0x28, 0x29, 0x2a:
		return 0
	}
	return unknownPlace
}

// properties reads the properties of a packet.
func (p *parser) properties(in place) (out Properties) {
	q := parser{rest: p.take(p.length())}
	var seen [0x2b]bool
	var wrong *Violation
	for len(q.rest) > 0 && q.bad == nil {
		id := q.length()
		places := placesOf(id)
		if q.bad == nil && places == unknownPlace {
			q.fail(malformed("property is unknown"))
		}
		q.property(id, &out)
		switch {
		case q.bad != nil || wrong != nil:
		case places&in == 0 && in&(inSubscribe|inUnsubscribe) != 0: // as other brokers answer
			wrong = malformed("property does not belong into this packet")
		case places&in == 0:
			wrong = forbidden("property does not belong into this packet")
		case id != 0x26 && seen[id] && (id != 0x0b || in != inBrokerPublish):
			wrong = forbidden("property comes twice")
		default:
			seen[id] = true
		}
	}
	switch {
	case q.bad != nil:
		p.fail(q.bad)
	case wrong != nil: // a malformed property counts before one that is not allowed
		p.fail(wrong)
	case seen[0x16] && !seen[0x15]: // [MQTT-3.1.2.11.10]
		p.fail(forbidden("authentication data without a method"))
	case seen[0x21] && out.ReceiveMaximum == 0, seen[0x27] && out.MaximumPacketSize == 0:
		p.fail(forbidden("Receive Maximum or Maximum Packet Size is 0"))
	case seen[0x23] && out.TopicAlias == 0:
		p.fail(&Violation{InvalidTopicAlias, "topic alias is 0 [MQTT-3.3.2-8]"})
	}
	return out
}

// property reads the value of one property.
func (p *parser) property(id int, out *Properties) {
	switch id {
	case 0x01:
		out.PayloadFormat, out.HasPayloadFormat = p.flag(), true
	case 0x02:
		out.MessageExpiry = p.uint32()
	case 0x03:
		out.ContentType = p.text()
	case 0x08:
		out.ResponseTopic = p.responseTopic()
	case 0x09:
		out.CorrelationData = bytes.Clone(p.binary())
	case 0x0b:
		n := p.length()
		if p.bad == nil && n == 0 {
			p.fail(malformed("subscription identifier is 0"))
		}
		out.SubscriptionIDs = append(out.SubscriptionIDs, n)
	case 0x11:
		out.SessionExpiry, out.HasSessionExpiry = p.uint32(), true
	case 0x15:
		out.AuthenticationMethod = p.text()
	case 0x17:
		out.NoProblemInformation = p.flag() == 0
	case 0x18:
		out.WillDelay = p.uint32()
	case 0x21:
		out.ReceiveMaximum = p.uint16()
	case 0x23:
		out.TopicAlias = p.uint16()
	case 0x26:
		out.User = append(out.User, UserProperty{Key: p.text(), Value: p.text()})
	case 0x27:
		out.MaximumPacketSize = p.uint32()
	default:
		p.skipProperty(id)
	}
}

// skipProperty checks the value of a property that a broker does not use.
func (p *parser) skipProperty(id int) {
	switch id {
	case 0x12, 0x1a, 0x1c, 0x1f: // assigned identifier, response information, reference, reason
		p.textBytes()
	case 0x13, 0x22: // server's keepalive, topic alias maximum
		p.uint16()
	case 0x16: // authentication data
		p.binary()
	case 0x19, 0x24, 0x25, 0x28, 0x29, 0x2a: // request for response information, what a server offers
		p.flag()
	}
}

// flag reads a byte that is 0 or 1.
func (p *parser) flag() byte {
	b := p.uint8()
	if b > 1 {
		p.fail(forbidden("property is neither 0 nor 1"))
	}
	return b
}

// responseTopic reads a topic that could be published to. [MQTT-3.3.2-14]
func (p *parser) responseTopic() string {
	s := p.text()
	if p.bad == nil && (s == "" || HasWildcard(s)) {
		p.fail(forbidden("response topic is no topic"))
	}
	return s
}

// appendMessageProperties appends the properties of a PUBLISH with their length. A nil
// receiver has none.
func (p *Properties) appendMessageProperties(b []byte) []byte {
	if p == nil {
		return append(b, 0)
	}
	var v []byte
	if p.HasPayloadFormat {
		v = append(v, 0x01, p.PayloadFormat)
	}
	if p.MessageExpiry > 0 {
		v = binary.BigEndian.AppendUint32(append(v, 0x02), p.MessageExpiry)
	}
	if p.ContentType != "" {
		v = AppendString(append(v, 0x03), p.ContentType)
	}
	if p.ResponseTopic != "" {
		v = AppendString(append(v, 0x08), p.ResponseTopic)
	}
	if len(p.CorrelationData) > 0 {
		v = AppendString(append(v, 0x09), p.CorrelationData)
	}
	for _, id := range p.SubscriptionIDs {
		v = AppendLength(append(v, 0x0b), id)
	}
	for _, u := range p.User {
		v = AppendString(AppendString(append(v, 0x26), u.Key), u.Value)
	}
	return append(AppendLength(b, len(v)), v...)
}

// Forwarded gives the properties that go to the receivers of a message unchanged; nil is
// none. [MQTT-3.3.2-4], [MQTT-3.3.2-15], [MQTT-3.3.2-16], [MQTT-3.3.2-17], [MQTT-3.3.2-20]
func (p *Properties) Forwarded() *Properties {
	if !p.HasPayloadFormat && p.ContentType == "" && p.ResponseTopic == "" && len(p.CorrelationData) == 0 && len(p.User) == 0 {
		return nil
	}
	return &Properties{
		HasPayloadFormat: p.HasPayloadFormat, PayloadFormat: p.PayloadFormat, ContentType: p.ContentType,
		ResponseTopic: p.ResponseTopic, CorrelationData: p.CorrelationData, User: p.User,
	}
}
