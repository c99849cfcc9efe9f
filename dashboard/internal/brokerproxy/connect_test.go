package brokerproxy

import (
	"bytes"
	"strings"
	"testing"

	"camqtt/internal/testkit/packet"
)

const flagUser, flagPassword = 0x80, 0x40

// connectOf is a CONNECT of MQTT 3.1.1 with the client id "web".
func connectOf(flags byte, more ...byte) []byte {
	return packet.Raw(0x10, packet.String("MQTT"), string([]byte{4, flags, 0, 30}), packet.String("web"), string(more))
}

func TestCredentialsAreInjected(t *testing.T) {
	plain := connectOf(2)
	known := connectOf(2|flagUser|flagPassword, 0, 2, 'm', 'e', 0, 2, 'p', 'w')
	inject := func(p []byte, password string) []byte {
		var c connectReader
		return c.add(p, "me", password)
	}
	if got := inject(plain, "pw"); !bytes.Equal(got, known) {
		t.Errorf("got % x, want % x", got, known)
	}
	if got, want := inject(plain, ""), connectOf(2|flagUser, 0, 2, 'm', 'e'); !bytes.Equal(got, want) {
		t.Errorf("without a password got % x, want % x", got, want)
	}
	if got := inject(connectOf(2|flagUser|flagPassword, 0, 0, 0, 0), "pw"); !bytes.Equal(got, known) {
		t.Errorf("empty ones: got % x, want % x", got, known)
	}
	for name, p := range map[string][]byte{
		"has an account": known, "no CONNECT": {0xc0, 0},
		"name too long": {0x10, 12, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
		"no length":     {0x10, 0xff, 0xff, 0xff, 0xff},
		"too large":     packet.Raw(0x10, packet.String("MQTT"), "\x04\x02\x00\x1e", packet.String(strings.Repeat("i", 65535)))[:maxConnect],
	} {
		if got := inject(p, "pw"); !bytes.Equal(got, p) {
			t.Errorf("%s: %d bytes became %d", name, len(p), len(got))
		}
	}
	if got := inject(plain[:9], "pw"); len(got) > 0 {
		t.Errorf("cut: % x is passed on", got)
	}
}

// TestConnectInPieces feeds the first packet in pieces of every size, with more after it.
func TestConnectInPieces(t *testing.T) {
	in := append(connectOf(2), 0xc0, 0)
	want := append(connectOf(2|flagUser|flagPassword, 0, 2, 'm', 'e', 0, 2, 'p', 'w'), 0xc0, 0)
	for size := 1; size <= len(in); size++ {
		var c connectReader
		var got []byte
		for b := in; len(b) > 0; b = b[min(size, len(b)):] {
			got = append(got, c.add(bytes.Clone(b[:min(size, len(b))]), "me", "pw")...)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("in pieces of %d: % x, want % x", size, got, want)
		}
	}
}

func TestVersionOfConnect(t *testing.T) {
	for name, c := range map[string]struct {
		in   []byte
		want byte
	}{
		"3.1":    {packet.Raw(0x10, packet.String("MQIsdp"), "\x03\x02\x00\x3c", packet.String("id")), 3},
		"3.1.1":  {packet.Connect(4, "id"), 4},
		"5":      {packet.Connect(5, "id"), 5},
		"bridge": {packet.Connect(0x84, "id"), 4},
		"long":   {packet.Connect(5, strings.Repeat("i", 20000)), 5},
		"other":  {[]byte{0xc0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 0},
		"name":   {packet.Raw(0x10, "\xff\xff", strings.Repeat("M", 20)), 0},
	} {
		for _, step := range []int{1, 3, 1000} {
			var r connectReader
			for in := c.in; len(in) > 0; in = in[min(step, len(in)):] {
				r.add(in[:min(step, len(in))], "", "")
			}
			if r.version != c.want || !r.done {
				t.Errorf("%s in steps of %d: version %d, done %t: want %d", name, step, r.version, r.done, c.want)
			}
		}
	}
}

func FuzzConnect(f *testing.F) {
	f.Add(connectOf(2), uint8(3))
	f.Add([]byte{0x10, 0xff, 0xff, 0xff, 0x7f}, uint8(1))
	f.Fuzz(func(t *testing.T, in []byte, size uint8) {
		var c connectReader
		n := int(size)%16 + 1
		var out []byte
		for b := in; len(b) > 0; b = b[min(n, len(b)):] {
			out = append(out, c.add(bytes.Clone(b[:min(n, len(b))]), "me", "pw")...)
		}
		if len(c.held) > maxConnect+16 {
			t.Errorf("%d bytes are held", len(c.held))
		}
		if c.done && len(out) < len(in)-4 { // empty credentials are replaced
			t.Errorf("%d of %d bytes were passed on", len(out), len(in))
		}
	})
}
