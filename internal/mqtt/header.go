package mqtt

import "encoding/binary"

// MaxRemaining is the largest remaining length that MQTT can express. [MQTT-2.2.3]
const MaxRemaining = 256<<20 - 1

// FixedHeader reads a fixed header: size is its own length, remaining that of what
// follows it. size is 0 while the header is incomplete, and also if it takes more than
// five bytes, which is malformed.
func FixedHeader(b []byte) (size, remaining int) {
	for i := 1; i < len(b) && i < 5; i++ {
		remaining |= int(b[i]&127) << (7 * (i - 1))
		if b[i] < 128 {
			return i + 1, remaining
		}
	}
	return 0, 0
}

// AppendLength appends a variable byte integer. [MQTT-1.5.5-1]
func AppendLength(b []byte, n int) []byte { return binary.AppendUvarint(b, uint64(n)) }

// AppendString appends a string or binary data with its length, of 65,535 bytes at most.
func AppendString[T string | []byte](b []byte, s T) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}

// CheckFirstByte checks the first byte of a packet that a client sends after CONNECT.
// MQTT 3.1 gives the flags of most packets no meaning, so they are not checked there.
func CheckFirstByte(version, first byte) *Violation {
	typ, flags := first>>4, first&15
	switch typ {
	case Publish:
		switch {
		case flags&6 == 6:
			return malformed("QoS is 3 [MQTT-3.3.1-4]")
		case flags&14 == 8 && version > 3:
			return malformed("DUP at QoS 0 [MQTT-3.3.1-2]")
		}
		return nil
	case Puback, Pubrec, Pubrel, Pubcomp, Subscribe, Unsubscribe, Pingreq, Disconnect:
		if flags != flagsOf(typ) && version > 3 {
			return malformed("flags of the first byte are wrong [MQTT-2.1.3-1]")
		}
		return nil
	case Connect:
		return forbidden("a second CONNECT [MQTT-3.1.0-2]")
	case Auth:
		return forbidden("AUTH without an authentication method [MQTT-4.12.0-1]")
	}
	if flags != 0 && typ > Connack && typ != Pingresp { // as other brokers answer
		return malformed("flags of the first byte are wrong [MQTT-2.1.3-1]")
	}
	return forbidden("clients do not send packets of this type")
}

// flagsOf gives the flags that a packet's first byte must have. [MQTT-2.1.3-1]
func flagsOf(typ byte) byte {
	switch typ {
	case Pubrel, Subscribe, Unsubscribe:
		return 2
	}
	return 0
}
