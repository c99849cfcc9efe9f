package brokerproxy

import (
	"bytes"
	"testing"
)

// helloPacket is a CONNECT of MQTT 3.1.1 with the client id "web".
func helloPacket(flags byte, more ...byte) []byte {
	body := append([]byte{0, 4, 'M', 'Q', 'T', 'T', 4, flags, 0, 30, 0, 3, 'w', 'e', 'b'}, more...)
	return append(appendRemaining([]byte{0x10}, len(body)), body...)
}

func TestIntroduce(t *testing.T) {
	plain := helloPacket(2)
	known := helloPacket(2|flagUser|flagPassword, 0, 2, 'm', 'e', 0, 2, 'p', 'w')
	if got := introduce(plain, "me", "pw"); !bytes.Equal(got, known) {
		t.Errorf("got % x, want % x", got, known)
	}
	if got, want := introduce(plain, "me", ""), helloPacket(2|flagUser, 0, 2, 'm', 'e'); !bytes.Equal(got, want) {
		t.Errorf("without a password got % x, want % x", got, want)
	}
	for name, p := range map[string][]byte{
		"has an account": known, "no CONNECT": {0xc0, 0}, "cut": plain[:9], "empty": nil, "name too long": {0x10, 12, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
	} {
		if got := introduce(p, "me", "pw"); !bytes.Equal(got, p) {
			t.Errorf("%s: % x became % x", name, p, got)
		}
	}
}

// TestIntroductionInPieces feeds the first packet byte by byte, with more after it.
func TestIntroductionInPieces(t *testing.T) {
	in := append(helloPacket(2), 0xc0, 0)
	want := append(introduce(helloPacket(2), "me", "pw"), 0xc0, 0)
	for size := 1; size <= len(in); size++ {
		var i introduction
		var got []byte
		for b := in; len(b) > 0; b = b[min(size, len(b)):] {
			got = append(got, i.take(bytes.Clone(b[:min(size, len(b))]), "me", "pw")...)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("in pieces of %d: % x, want % x", size, got, want)
		}
	}
}

func FuzzIntroduction(f *testing.F) {
	f.Add(helloPacket(2), uint8(3))
	f.Add([]byte{0x10, 0xff, 0xff, 0xff, 0x7f}, uint8(1))
	f.Fuzz(func(t *testing.T, in []byte, size uint8) {
		var i introduction
		n := int(size)%16 + 1
		out := 0
		for b := in; len(b) > 0; b = b[min(n, len(b)):] {
			out += len(i.take(bytes.Clone(b[:min(n, len(b))]), "me", "pw"))
		}
		if i.done && out < len(in) {
			t.Errorf("%d of %d bytes were passed on", out, len(in))
		}
	})
}
