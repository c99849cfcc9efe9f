package brokerproxy

import (
	"encoding/binary"
	"fmt"
)

// parsedConnect is a CONNECT that was taken apart. MQTT 3.1.1 section 3.1, MQTT 5 section 3.1.
type parsedConnect struct {
	client, user, password string

	body  []byte // after the fixed header
	flags int    // where they are
	login int    // where user name and password begin
}

// readConnect takes a CONNECT apart, of any version.
func readConnect(body []byte) (*parsedConnect, error) {
	f := &fields{rest: body}
	protocol := f.bytes()
	version, flags := f.byte(), f.byte()
	h := &parsedConnect{body: body, flags: 2 + len(protocol) + 1}
	f.skip(2) // keep alive
	if version >= 5 {
		f.properties()
	}
	h.client = string(f.bytes())
	if flags&0x04 != 0 { // a will
		if version >= 5 {
			f.properties()
		}
		f.bytes()
		f.bytes()
	}
	h.login = len(body) - len(f.rest)
	if flags&flagUser != 0 {
		h.user = string(f.bytes())
	}
	if flags&flagPassword != 0 {
		h.password = string(f.bytes())
	}
	if f.short || len(f.rest) > 0 {
		return nil, fmt.Errorf("%w: a CONNECT of %d bytes", errMalformed, len(body))
	}
	return h, nil
}

// fields reads one after the other. After a field that is not whole, short is set and
// all further ones are empty.
type fields struct {
	rest  []byte
	short bool
}

func (f *fields) skip(n int) []byte {
	if f.short || n > len(f.rest) {
		f.short = true
		return nil
	}
	b := f.rest[:n]
	f.rest = f.rest[n:]
	return b
}

func (f *fields) byte() byte {
	if b := f.skip(1); b != nil {
		return b[0]
	}
	return 0
}

// bytes reads what follows its length. MQTT 3.1.1 section 1.5.3.
func (f *fields) bytes() []byte {
	if n := f.skip(2); n != nil {
		return f.skip(int(binary.BigEndian.Uint16(n)))
	}
	return nil
}

// properties skips those of MQTT 5. Their length is a variable byte integer.
func (f *fields) properties() {
	n := 0
	for shift := 0; shift < 28; shift += 7 {
		b := f.byte()
		n |= int(b&0x7f) << shift
		if b < 0x80 {
			f.skip(n)
			return
		}
	}
	f.short = true
}
