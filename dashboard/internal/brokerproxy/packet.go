package brokerproxy

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"camqtt/internal/wire"
)

// The packet types that concern us. MQTT 3.1.1 section 2.2.1, MQTT 5 section 2.1.2.
const (
	packetConnect     = 1
	packetPublish     = 3
	packetSubscribe   = 8
	packetUnsubscribe = 10
	packetPingreq     = 12
)

var (
	errMalformed = errors.New("malformed MQTT packet")
	errTooLarge  = errors.New("MQTT packet too large")
)

// readPacket reads one whole packet that a broker sent, of at most limit bytes.
func readPacket(r *bufio.Reader, limit int) ([]byte, error) {
	first, err := r.ReadByte()
	if err != nil {
		return nil, err
	}
	switch t := first >> 4; t {
	case 0, packetConnect, packetSubscribe, packetUnsubscribe, packetPingreq:
		return nil, fmt.Errorf("%w: a broker sends none of type %d", errMalformed, t)
	case packetPublish:
		if first&6 == 6 { // [MQTT-3.3.1-4]
			return nil, fmt.Errorf("%w: a PUBLISH of QoS 3", errMalformed)
		}
	}
	head := [5]byte{first}
	n, size := 1, 0
	for shift := 0; ; shift += 7 { // [MQTT-1.5.5-1]
		if n == len(head) {
			return nil, fmt.Errorf("%w: its length takes more than four bytes", errMalformed)
		}
		b, err := r.ReadByte()
		if err != nil {
			return nil, whole(err)
		}
		head[n] = b
		n++
		size |= int(b&0x7f) << shift
		if b < 0x80 {
			break
		}
	}
	if n+size > limit {
		return nil, fmt.Errorf("%w: %d bytes, want at most %d", errTooLarge, n+size, limit)
	}
	p := make([]byte, n+size)
	copy(p, head[:n])
	if _, err := io.ReadFull(r, p[n:]); err != nil {
		return nil, whole(err)
	}
	return p, nil
}

// whole tells the end of a stream inside a packet from one between packets.
func whole(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// slot names what a packet may replace while neither has been sent: a picture of the
// same topic. The retained one is kept apart, because a viewer that asked for a
// fresh picture ignores it.
type slot struct {
	topic    string
	retained bool
}

// inspect tells pictures that may be replaced from everything else. version is that
// of the protocol. ok is false for what must be sent in order and whole: other
// packets, higher QoS, and what establishes or uses a topic alias.
func inspect(p []byte, version byte, base wire.Base) (s slot, kind wire.Kind, ok bool, err error) {
	if p[0]>>4 != packetPublish {
		return slot{}, "", false, nil
	}
	body := p[1:]
	for body[0] >= 0x80 {
		body = body[1:]
	}
	body = body[1:]
	if len(body) < 2 || len(body)-2 < int(binary.BigEndian.Uint16(body)) {
		return slot{}, "", false, fmt.Errorf("%w: a PUBLISH of %d bytes is too short for its topic", errMalformed, len(p))
	}
	n := int(binary.BigEndian.Uint16(body))
	topic, rest := body[2:2+n], body[2+n:]
	if p[0]&6 != 0 {
		return slot{}, "", false, nil
	}
	_, kind, ok = base.Split(string(topic))
	if !ok || !kind.IsPicture() || (version >= 5 && hasAlias(rest)) {
		return slot{}, "", false, nil
	}
	return slot{topic: string(topic), retained: p[0]&1 != 0}, kind, true, nil
}

// hasAlias reports whether the properties of a PUBLISH set a topic alias. What it
// cannot read it takes for one, so that the packet is left alone. MQTT 5 section
// 3.3.2.3.
func hasAlias(b []byte) bool {
	n, b, ok := varint(b)
	if !ok || n > len(b) {
		return true
	}
	for b = b[:n]; len(b) > 0; {
		id := b[0]
		b = b[1:]
		size := 0
		switch id {
		case 0x01: // payload format
			size = 1
		case 0x02: // message expiry
			size = 4
		case 0x03, 0x08, 0x09: // content type, response topic, correlation data
			size = text(b)
		case 0x26: // user property: two texts
			if size = text(b); size <= len(b) {
				size += text(b[size:])
			}
		case 0x0b: // subscription identifier
			_, rest, ok := varint(b)
			if !ok {
				return true
			}
			size = len(b) - len(rest)
		default: // 0x23 is the alias
			return true
		}
		if size > len(b) {
			return true
		}
		b = b[size:]
	}
	return false
}

// text returns the size of a length-prefixed field, more than there is when it is cut.
func text(b []byte) int {
	if len(b) < 2 {
		return len(b) + 1
	}
	return 2 + int(binary.BigEndian.Uint16(b))
}

// varint reads a variable byte integer. [MQTT-1.5.5-1]
func varint(b []byte) (n int, rest []byte, ok bool) {
	for i := 0; i < len(b) && i < 4; i++ {
		n |= int(b[i]&0x7f) << (7 * i)
		if b[i] < 0x80 {
			return n, b[i+1:], true
		}
	}
	return 0, nil, false
}

// greeting learns the protocol version from the first bytes a browser sends, its
// CONNECT. MQTT 3.1.1 section 3.1.2.2.
type greeting struct {
	buf  []byte
	done bool
}

// take looks at bytes in passing. It returns the version once, 0 otherwise.
func (g *greeting) take(b []byte) byte {
	if g.done {
		return 0
	}
	const most = 1 + 4 + 2 + 6 + 1 // type, length, name with its length, version
	g.buf = append(g.buf, b[:min(len(b), most-len(g.buf))]...)
	version, known := g.version()
	if !known && len(g.buf) < most {
		return 0
	}
	g.done, g.buf = true, nil
	return version
}

func (g *greeting) version() (byte, bool) {
	if len(g.buf) == 0 || g.buf[0]>>4 != packetConnect {
		return 0, len(g.buf) > 0
	}
	_, rest, ok := varint(g.buf[1:])
	if !ok || len(rest) < 2 {
		return 0, false
	}
	at := text(rest)
	if at >= len(rest) {
		return 0, false
	}
	return rest[at] &^ 0x80, true // a bridge sets the highest bit
}
