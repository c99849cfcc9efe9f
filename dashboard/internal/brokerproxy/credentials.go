package brokerproxy

import "encoding/binary"

// Flags of CONNECT (MQTT 3.1.1 section 3.1.2.3; the same in 5).
const (
	flagUser     = 0x80
	flagPassword = 0x40
)

// maxIntroduction is the largest CONNECT that is looked at, in bytes.
const maxIntroduction = 64 << 10

// introduce adds a user name and password to a CONNECT that has none: both are
// the last fields of its payload [MQTT-3.1.3-1]. Anything else comes back as it
// is, and the broker judges it.
func introduce(packet []byte, user, password string) []byte {
	head, n, ok := fixedHeader(packet)
	if !ok || packet[0] != 0x10 || len(packet) != head+n {
		return packet
	}
	h, err := readConnect(packet[head:])
	if err != nil || h.user != "" || h.password != "" {
		return packet
	}
	fields := lengthPrefixed(nil, user)
	flags := byte(flagUser)
	if password != "" {
		fields = lengthPrefixed(fields, password)
		flags |= flagPassword
	}
	out := appendRemaining([]byte{0x10}, h.login+len(fields))
	start := len(out)
	out = append(append(out, h.body[:h.login]...), fields...)
	out[start+h.flags] = out[start+h.flags]&^(flagUser|flagPassword) | flags
	return out
}

// fixedHeader reads the length of a packet's head and of the rest; ok is false
// while there is too little of it, or when it is malformed.
func fixedHeader(b []byte) (head, rest int, ok bool) {
	for i := 1; i < len(b) && i < 5; i++ {
		rest |= int(b[i]&0x7f) << (7 * (i - 1))
		if b[i] < 0x80 {
			return i + 1, rest, true
		}
	}
	return 0, 0, false
}

func appendRemaining(b []byte, n int) []byte {
	for ; n >= 0x80; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}
	return append(b, byte(n))
}

func lengthPrefixed(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}

// introduction collects a browser's first packet until it is whole.
type introduction struct {
	held []byte
	done bool
}

// take returns what can be passed on now: nothing while the first packet is not
// whole, then that packet introduced, with whatever follows it.
func (i *introduction) take(b []byte, user, password string) []byte {
	if i.done || user == "" {
		return b
	}
	i.held = append(i.held, b...)
	head, n, ok := fixedHeader(i.held)
	switch {
	case !ok && len(i.held) < 5, ok && len(i.held) < head+n && head+n <= maxIntroduction:
		return nil
	case !ok || head+n > maxIntroduction:
		i.done = true
		return i.held
	}
	i.done = true
	first, rest := i.held[:head+n:head+n], i.held[head+n:]
	return append(introduce(first, user, password), rest...)
}
