package mqtt

import "encoding/binary"

// Subscription is one filter of a SUBSCRIBE with its options. MQTT 5, section 3.8.3.1.
type Subscription struct {
	Filter            string
	QoS               byte
	NoLocal           bool
	RetainAsPublished bool
	RetainHandling    byte
}

// SubscribePacket is SUBSCRIBE or UNSUBSCRIBE. An UNSUBSCRIBE has filters only.
type SubscribePacket struct {
	ID             uint16
	Filters        []Subscription
	SubscriptionID int // 0: none
}

// ParseSubscribe reads what follows the fixed header of a SUBSCRIBE.
func ParseSubscribe(version byte, body []byte) (SubscribePacket, *Violation) {
	return parseFilters(version, body, inSubscribe)
}

// ParseUnsubscribe reads what follows the fixed header of an UNSUBSCRIBE.
func ParseUnsubscribe(version byte, body []byte) (SubscribePacket, *Violation) {
	return parseFilters(version, body, inUnsubscribe)
}

func parseFilters(version byte, body []byte, in place) (s SubscribePacket, bad *Violation) {
	p := parser{rest: body}
	if s.ID = p.packetID(); p.bad != nil && p.bad.Code == ProtocolError {
		p.bad.Code = MalformedPacket
	}
	if version >= 5 {
		if ids := p.properties(in).SubscriptionIDs; len(ids) > 0 {
			s.SubscriptionID = ids[0]
		}
	}
	if p.bad == nil && len(p.rest) == 0 { // [MQTT-3.8.3-2], [MQTT-3.10.3-2]
		p.fail(malformed("there is no filter"))
	}
	for len(p.rest) > 0 {
		f := Subscription{Filter: parseFilter(&p, in)}
		if in == inSubscribe {
			parseOptions(&p, version, &f)
		}
		s.Filters = append(s.Filters, f)
	}
	return s, p.end()
}

// parseFilter reads a filter and checks its form.
func parseFilter(p *parser, in place) string {
	s := string(p.name())
	group, rest, shared := SplitShared(s)
	switch {
	case p.bad != nil:
	case s == "":
		p.fail(malformed("filter is empty [MQTT-4.7.3-1]"))
	case !ValidWildcards(s):
		p.fail(malformed("filter has a wildcard in a wrong place [MQTT-4.7.1-1]"))
	case in == inSubscribe && shared && (group == "" || rest == "" || HasWildcard(group)):
		p.fail(forbidden("shared subscription names no group or no filter [MQTT-4.8.2-1]"))
	}
	return s
}

// parseOptions reads the byte behind a filter. [MQTT-3.8.3-4], [MQTT-3.8.3-5]
func parseOptions(p *parser, version byte, f *Subscription) {
	o := p.uint8()
	_, _, shared := SplitShared(f.Filter)
	switch {
	case p.bad != nil:
	case o&3 == 3, version < 5 && o > 2, version >= 5 && (o > 0x3f || o&0x30 == 0x30):
		p.fail(malformed("subscription options are wrong [MQTT-3.8.3-5]"))
	case shared && o&4 != 0: // [MQTT-3.8.3-4]
		p.fail(forbidden("no-local on a shared subscription [MQTT-3.8.3-4]"))
	}
	f.QoS, f.NoLocal, f.RetainAsPublished, f.RetainHandling = o&3, o&4 != 0, o&8 != 0, o>>4
}

// EncodeSuback encodes SUBACK or UNSUBACK with a reason code for each filter. The
// UNSUBACK of MQTT 3 has none; its SUBACK knows one failure. [MQTT-3.9.3-1]
func EncodeSuback(version, typ byte, id uint16, codes []Code) []byte {
	var body []byte
	body = binary.BigEndian.AppendUint16(body, id)
	if version >= 5 {
		body = append(body, 0)
	}
	for _, c := range codes {
		switch {
		case version >= 5:
		case typ == Unsuback:
			continue
		case c.Failed():
			c = UnspecifiedError
		}
		body = append(body, byte(c))
	}
	return append(AppendLength([]byte{typ << 4}, len(body)), body...)
}

// DisconnectPacket is a DISCONNECT. MQTT 5, section 3.14.
type DisconnectPacket struct {
	Code             Code
	HasSessionExpiry bool
	SessionExpiry    uint32 // seconds
}

// ParseDisconnect reads what follows the fixed header of a DISCONNECT.
func ParseDisconnect(version byte, body []byte) (DisconnectPacket, *Violation) {
	p := parser{rest: body}
	code, props := parseReason(&p, version, inDisconnect, Disconnect)
	return DisconnectPacket{Code: code, HasSessionExpiry: props.HasSessionExpiry, SessionExpiry: props.SessionExpiry}, p.end()
}

// EncodeDisconnect encodes the DISCONNECT of an MQTT 5 broker.
func EncodeDisconnect(code Code) []byte { return []byte{Disconnect << 4, 1, byte(code)} }

// CheckPing checks what follows the fixed header of a PINGREQ: nothing.
func CheckPing(body []byte) *Violation {
	p := parser{rest: body}
	return p.end()
}
