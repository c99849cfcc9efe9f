package broker

import (
	"bytes"
	"strings"

	"github.com/mochi-mqtt/server/v2/packets"

	"camqtt/internal/access"
)

// Every packet is checked here before the engine sees it: the engine's decoder takes
// some that are wrong, and breaks on others.

// vetFirst checks a packet's first byte, once CONNECT has come. MQTT 3.1 gives the
// flags of most packets no meaning, so they are not looked at there.
func vetFirst(version, first byte) *violation {
	typ, flags := first>>4, first&15
	switch typ {
	case packets.Publish:
		switch {
		case flags&6 == 6:
			return malformed("QoS is 3 [MQTT-3.3.1-4]")
		case flags&14 == 8 && version > 3:
			return malformed("DUP at QoS 0 [MQTT-3.3.1-2]")
		}
		return nil
	case packets.Puback, packets.Pubrec, packets.Pubrel, packets.Pubcomp,
		packets.Subscribe, packets.Unsubscribe, packets.Pingreq, packets.Disconnect:
		if flags != flagsOf(typ) && version > 3 {
			return malformed("flags of the first byte are wrong [MQTT-2.1.3-1]")
		}
		return nil
	case packets.Connect:
		return forbidden("a second CONNECT [MQTT-3.1.0-2]")
	case packets.Auth:
		return forbidden("AUTH without an authentication method [MQTT-4.12.0-1]")
	}
	if flags != 0 && typ > packets.Connack {
		return malformed("flags of the first byte are wrong [MQTT-2.1.3-1]")
	}
	return forbidden("clients do not send packets of this type")
}

// flagsOf gives the flags that a packet's first byte must have. [MQTT-2.1.3-1]
func flagsOf(typ byte) byte {
	switch typ {
	case packets.Pubrel, packets.Subscribe, packets.Unsubscribe:
		return 2
	}
	return 0
}

// vet checks what follows the fixed header of any packet but CONNECT and PUBLISH.
func vet(version, typ byte, body []byte) *violation {
	f := fields{b: body}
	switch typ {
	case packets.Puback, packets.Pubrec, packets.Pubrel, packets.Pubcomp:
		f.id()
		f.reason(version, inAck, typ)
	case packets.Subscribe:
		f.filters(version, inSubscribe)
	case packets.Unsubscribe:
		f.filters(version, inUnsubscribe)
	case packets.Disconnect:
		f.reason(version, inDisconnect, typ)
	}
	f.end()
	return f.bad
}

// reason takes the reason code and properties that MQTT 5 packets may end with.
func (f *fields) reason(version byte, in place, typ byte) {
	if version < 5 || len(f.b) == 0 {
		return
	}
	if code := f.uint8(); !reasonOf(typ, code) {
		f.fail(forbidden("reason code does not belong to this packet"))
	}
	if len(f.b) > 0 {
		f.properties(in)
	}
}

// reasonOf reports whether a client may give a reason code in a packet.
// [MQTT-3.4.2-1], [MQTT-3.5.2-1], [MQTT-3.6.2-1], [MQTT-3.7.2-1], [MQTT-3.14.2-1]
func reasonOf(typ, code byte) bool {
	var of string
	switch typ {
	case packets.Puback, packets.Pubrec:
		of = "\x00\x10\x80\x83\x87\x90\x91\x97\x99"
	case packets.Pubrel, packets.Pubcomp:
		of = "\x00\x92"
	case packets.Disconnect:
		of = "\x00\x04\x80\x81\x82\x83\x90\x93\x94\x95\x96\x97\x98\x99"
	}
	return strings.IndexByte(of, code) >= 0
}

// filters takes the body of SUBSCRIBE or UNSUBSCRIBE.
func (f *fields) filters(version byte, in place) {
	if f.id(); f.bad != nil && f.bad.code == packets.ErrProtocolViolation {
		f.bad.code = packets.ErrMalformedPacket
	}
	if version == 5 {
		f.properties(in)
	}
	if f.bad == nil && len(f.b) == 0 { // [MQTT-3.8.3-2], [MQTT-3.10.3-2]
		f.fail(malformed("there is no filter"))
	}
	for len(f.b) > 0 {
		filter := f.name()
		if f.bad == nil {
			f.filter(string(filter), in)
		}
		if in == inSubscribe && f.bad == nil {
			f.options(version, filter)
		}
	}
}

// filter checks a filter's form; what is only too much is refused by SUBACK.
func (f *fields) filter(s string, in place) {
	switch {
	case s == "":
		f.fail(malformed("filter is empty [MQTT-4.7.3-1]"))
	case !wildcards(s):
		f.fail(malformed("filter has a wildcard in a wrong place [MQTT-4.7.1-1]"))
	case in == inSubscribe:
		group, rest, shared := access.Share(s)
		if shared && (group == "" || rest == "" || !topicName([]byte(group))) {
			f.fail(forbidden("shared subscription names no group or no filter [MQTT-4.8.2-1]"))
		}
	}
}

// options takes the byte behind a filter. [MQTT-3.8.3-4], [MQTT-3.8.3-5]
func (f *fields) options(version byte, filter []byte) {
	o := f.uint8()
	_, _, shared := access.Share(string(filter))
	switch {
	case f.bad != nil:
	case o&3 == 3, version < 5 && o > 2, version == 5 && (o > 0x3f || o&0x30 == 0x30):
		f.fail(malformed("subscription options are wrong [MQTT-3.8.3-5]"))
	case version == 5 && shared && o&4 != 0: // [MQTT-3.8.3-4]
		f.fail(forbidden("no-local on a shared subscription [MQTT-3.8.3-4]"))
	}
}

// publishHead says how many bytes of a PUBLISH come before its payload, or how many
// are needed to say so if have does not hold them all. n is the remaining length.
func publishHead(version, first byte, have []byte, n int) (int, *violation) {
	if n < 2 {
		return 0, malformed("packet ends inside its topic")
	}
	if len(have) < 2 {
		return 2, nil
	}
	h := 2 + int(have[0])<<8 + int(have[1])
	if first&6 != 0 {
		h += 2
	}
	for i := 0; version == 5; i++ {
		switch {
		case h >= n || i == 4:
			return 0, malformed("packet ends inside its properties")
		case len(have) <= h:
			return h + 1, nil
		case have[h] < 128: // the last byte of the properties' length
			f := fields{b: have[h-i : h+1]}
			size := f.number()
			if h+1+size > n {
				return 0, malformed("properties are longer than the packet")
			}
			return h + 1 + size, f.bad
		}
		h++
	}
	if h > n {
		return 0, malformed("packet ends inside its topic")
	}
	return h, nil
}

// publication is what comes before the payload of a PUBLISH.
type publication struct {
	topic []byte
	id    uint16 // 0 at QoS 0
	alias int    // -1: none
}

// vetPublish checks what comes before the payload of a PUBLISH.
func vetPublish(version, first byte, head []byte) (p publication, bad *violation) {
	f := fields{b: head}
	p.topic, p.alias = f.name(), -1
	if first&6 != 0 {
		p.id = f.id()
	}
	if version == 5 {
		p.alias = f.properties(inPublish)
	}
	switch {
	case f.bad != nil:
	case bytes.ContainsAny(p.topic, "+#"):
		f.fail(malformed("topic contains a wildcard [MQTT-3.3.2-2]"))
	case p.alias == 0 || p.alias > topicAliases:
		f.fail(&violation{packets.ErrTopicAliasInvalid, "topic alias is out of range [MQTT-3.3.2-9]"})
	case len(p.topic) == 0 && p.alias < 0:
		f.fail(malformed("topic is empty [MQTT-4.7.3-1]"))
	}
	f.end()
	return p, f.bad
}
