package mqtt

import (
	"encoding/binary"
	"slices"
	"unicode/utf8"
)

// parser reads the fields of a packet one after the other. After the first violation
// everything it returns is empty.
type parser struct {
	rest []byte
	bad  *Violation
}

func (p *parser) fail(v *Violation) {
	if p.bad == nil {
		p.bad = v
	}
	p.rest = nil
}

// take returns the next n bytes, which belong to the packet.
func (p *parser) take(n int) []byte {
	if n > len(p.rest) {
		p.fail(malformed("packet ends inside a field"))
		return nil
	}
	b := p.rest[:n]
	p.rest = p.rest[n:]
	return b
}

func (p *parser) uint8() byte {
	if b := p.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (p *parser) uint16() uint16 {
	if b := p.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (p *parser) uint32() uint32 {
	if b := p.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

// length reads a variable byte integer, which must have its shortest form.
// [MQTT-1.5.5-1]
func (p *parser) length() int {
	n := 0
	for i := range 4 {
		b := p.uint8()
		if p.bad != nil {
			return 0
		}
		n |= int(b&127) << (7 * i)
		if b < 128 {
			if b == 0 && i > 0 {
				p.fail(malformed("variable byte integer is longer than needed [MQTT-1.5.5-1]"))
			}
			return n
		}
	}
	p.fail(malformed("variable byte integer takes more than four bytes"))
	return 0
}

// binary reads binary data, which belong to the packet.
func (p *parser) binary() []byte { return p.take(int(p.uint16())) }

// text reads a string that may contain control characters, such as a line break in a
// user property. [MQTT-1.5.4-1], [MQTT-1.5.4-2]
func (p *parser) text() string { return string(p.textBytes()) }

func (p *parser) textBytes() []byte {
	b := p.binary()
	switch {
	case !utf8.Valid(b):
		p.fail(malformed("string is not UTF-8 [MQTT-1.5.4-1]"))
	case slices.Contains(b, 0):
		p.fail(malformed("string contains U+0000 [MQTT-1.5.4-2]"))
	default:
		return b
	}
	return nil
}

// name reads a string without control characters: a topic, a filter, a user name.
func (p *parser) name() []byte {
	b := p.textBytes()
	if p.bad == nil && !Printable(b) {
		p.fail(malformed("string contains a control character [MQTT-1.5.4]"))
		return nil
	}
	return b
}

// packetID reads a packet identifier. [MQTT-2.2.1-3]
func (p *parser) packetID() uint16 {
	n := p.uint16()
	if p.bad == nil && n == 0 {
		p.fail(forbidden("packet identifier is 0 [MQTT-2.2.1-3]"))
	}
	return n
}

// end expects that nothing is left.
func (p *parser) end() *Violation {
	if p.bad == nil && len(p.rest) > 0 {
		p.fail(malformed("packet has more bytes than its fields"))
	}
	return p.bad
}
