package broker

import (
	"encoding/binary"
	"unicode/utf8"

	"github.com/mochi-mqtt/server/v2/packets"
)

// violation is what a packet does wrong. MQTT 5 clients are told the code.
type violation struct {
	code packets.Code
	why  string
}

func (v *violation) Error() string { return v.why }

// malformed is a violation of a packet's form. [MQTT-4.13.1-1]
func malformed(why string) *violation { return &violation{packets.ErrMalformedPacket, why} }

// forbidden is a well-formed packet that must not be sent.
func forbidden(why string) *violation { return &violation{packets.ErrProtocolViolation, why} }

// fields takes a packet's bytes apart. After the first violation everything it gives
// is empty.
type fields struct {
	b   []byte
	bad *violation
}

func (f *fields) fail(v *violation) {
	if f.bad == nil {
		f.bad = v
	}
	f.b = nil
}

func (f *fields) take(n int) []byte {
	if n > len(f.b) {
		f.fail(malformed("packet ends inside a field"))
		return nil
	}
	b := f.b[:n]
	f.b = f.b[n:]
	return b
}

func (f *fields) uint8() byte {
	if b := f.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (f *fields) uint16() int {
	if b := f.take(2); b != nil {
		return int(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (f *fields) uint32() uint32 {
	if b := f.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

// number takes a variable byte integer, which must have its shortest form.
// [MQTT-1.5.5-1]
func (f *fields) number() int {
	n := 0
	for i := range 4 {
		b := f.uint8()
		if f.bad != nil {
			return 0
		}
		n |= int(b&127) << (7 * i)
		if b < 128 {
			if b == 0 && i > 0 {
				f.fail(malformed("number is longer than need be [MQTT-1.5.5-1]"))
			}
			return n
		}
	}
	f.fail(malformed("number takes more than four bytes"))
	return 0
}

func (f *fields) binary() []byte { return f.take(f.uint16()) }

// text takes a string that may contain control characters, as a line break in a user
// property. [MQTT-1.5.4-1], [MQTT-1.5.4-2]
func (f *fields) text() []byte {
	b := f.binary()
	if !utf8.Valid(b) {
		f.fail(malformed("string is not UTF-8 [MQTT-1.5.4-1]"))
		return nil
	}
	for _, c := range b {
		if c == 0 {
			f.fail(malformed("string contains U+0000 [MQTT-1.5.4-2]"))
			return nil
		}
	}
	return b
}

// name takes a string that people have to be able to read: [checkText] without a limit.
func (f *fields) name() []byte {
	b := f.text()
	if f.bad == nil && !readable(b) {
		f.fail(malformed("string contains a control character [MQTT-1.5.4]"))
		return nil
	}
	return b
}

// id takes a packet identifier. [MQTT-2.2.1-3]
func (f *fields) id() uint16 {
	n := f.uint16()
	if f.bad == nil && n == 0 {
		f.fail(forbidden("packet identifier is 0 [MQTT-2.2.1-3]"))
	}
	return uint16(n)
}

// end wants that nothing is left.
func (f *fields) end() {
	if f.bad == nil && len(f.b) > 0 {
		f.fail(malformed("packet has more bytes than its fields"))
	}
}

// readable reports whether UTF-8 is free of control characters and non-characters.
// [MQTT-1.5.4]
func readable(b []byte) bool {
	for i := 0; i < len(b); {
		if c := b[i]; c < 0x80 {
			if c < 0x20 || c == 0x7f {
				return false
			}
			i++
			continue
		}
		r, n := utf8.DecodeRune(b[i:])
		if r < 0xa0 || r >= 0xfdd0 && r <= 0xfdef || r&0xfffe == 0xfffe {
			return false
		}
		i += n
	}
	return true
}

// form is how a property's value is encoded.
type form byte

const (
	formNone   form = iota
	formFlag        // a byte that is 0 or 1
	formTwo         // two bytes
	formFour        // four bytes
	formNumber      // variable byte integer
	formText        // string
	formData        // binary
	formPair        // two strings
)

// place is a bit for every packet that may carry properties towards the server.
type place uint16

const (
	inConnect place = 1 << iota
	inWill
	inPublish
	inAck // PUBACK, PUBREC, PUBREL, PUBCOMP
	inSubscribe
	inUnsubscribe
	inDisconnect
)

// property describes a property by its number: MQTT 5, table 2-4. A form without a
// place is one that only servers send.
func property(n int) (form, place) {
	switch n {
	case 0x01:
		return formFlag, inPublish | inWill
	case 0x02:
		return formFour, inPublish | inWill
	case 0x03, 0x08:
		return formText, inPublish | inWill
	case 0x09:
		return formData, inPublish | inWill
	case 0x0b:
		return formNumber, inSubscribe
	case 0x11:
		return formFour, inConnect | inDisconnect
	case 0x15:
		return formText, inConnect
	case 0x16:
		return formData, inConnect
	case 0x17, 0x19:
		return formFlag, inConnect
	case 0x18:
		return formFour, inWill
	case 0x1f:
		return formText, inAck | inDisconnect
	case 0x21, 0x22:
		return formTwo, inConnect
	case 0x23:
		return formTwo, inPublish
	case 0x26:
		return formPair, inConnect | inWill | inPublish | inAck | inSubscribe | inUnsubscribe | inDisconnect
	case 0x27:
		return formFour, inConnect
	case 0x12, 0x1a, 0x1c:
		return formText, 0
	case 0x13:
		return formTwo, 0
	case 0x24, 0x25, 0x28, 0x29, 0x2a:
		return formFlag, 0
	}
	return formNone, 0
}

// properties checks the properties of a packet and takes them. It gives the topic
// alias; -1 is none.
func (f *fields) properties(in place) (alias int) {
	p := fields{b: f.take(f.number())}
	alias = -1
	var seen [0x2b]bool
	for len(p.b) > 0 && f.bad == nil {
		n := p.number()
		kind, where := property(n)
		if p.bad == nil && kind == formNone {
			p.fail(malformed("property is unknown"))
		}
		v := p.value(kind, n)
		switch {
		case p.bad != nil:
		case where&in == 0 && in&(inSubscribe|inUnsubscribe) != 0: // as other brokers answer
			p.fail(malformed("property does not belong into this packet"))
		case where&in == 0:
			p.fail(forbidden("property does not belong into this packet"))
		case kind != formPair && seen[n]:
			p.fail(forbidden("property comes twice"))
		case v == 0 && n == 0x0b:
			p.fail(malformed("subscription identifier is 0"))
		case v == 0 && (n == 0x21 || n == 0x27):
			p.fail(forbidden("Receive Maximum or Maximum Packet Size is 0"))
		case n == 0x23:
			alias = int(v)
			fallthrough
		default:
			seen[n] = true
		}
		if p.bad != nil {
			f.fail(p.bad)
		}
	}
	if f.bad == nil && seen[0x16] && !seen[0x15] { // [MQTT-3.1.2.11.10]
		f.fail(forbidden("authentication data without a method"))
	}
	return alias
}

// value takes one value and gives it if it is a number.
func (f *fields) value(kind form, n int) uint32 {
	switch kind {
	case formFlag:
		b := f.uint8()
		if b > 1 {
			f.fail(forbidden("property is neither 0 nor 1"))
		}
		return uint32(b)
	case formTwo:
		return uint32(f.uint16())
	case formFour:
		return f.uint32()
	case formNumber:
		return uint32(f.number())
	case formText:
		s := f.text()
		if f.bad == nil && n == 0x08 && !topicName(s) { // [MQTT-3.3.2-14]
			f.fail(forbidden("response topic is no topic"))
		}
	case formData:
		f.binary()
	case formPair:
		f.text()
		f.text()
	}
	return 0
}

// topicName reports whether a string could be published to.
func topicName(s []byte) bool {
	for _, c := range s {
		if c == '+' || c == '#' {
			return false
		}
	}
	return len(s) > 0
}
