package brokerproxy

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"

	"camqtt/internal/testkit/packet"
	"camqtt/internal/wire"
)

func TestReadPacket(t *testing.T) {
	long := packet.Publish(0x30, "t", strings.Repeat("x", 20000))
	for name, c := range map[string]struct {
		in   []byte
		want []byte
		err  error
	}{
		"ping response":      {in: []byte{0xd0, 0}, want: []byte{0xd0, 0}},
		"two, first is read": {in: []byte{0xd0, 0, 0xd0, 0}, want: []byte{0xd0, 0}},
		"three length bytes": {in: long, want: long},
		"nothing":            {in: nil, err: io.EOF},
		"only a head":        {in: []byte{0x30}, err: io.ErrUnexpectedEOF},
		"cut length":         {in: []byte{0x30, 0x80}, err: io.ErrUnexpectedEOF},
		"cut body":           {in: []byte{0x30, 5, 0, 1}, err: io.ErrUnexpectedEOF},
		"five length bytes":  {in: []byte{0x30, 0x80, 0x80, 0x80, 0x80, 1}, err: errMalformed},
		"type 0":             {in: []byte{0x00, 0}, err: errMalformed},
		"connect":            {in: []byte{0x10, 0}, err: errMalformed},
		"subscribe":          {in: []byte{0x82, 0}, err: errMalformed},
		"HTTP":               {in: []byte("HTTP/1.1 400 Bad Request\r\n\r\n"), err: io.ErrUnexpectedEOF},
		"QoS 3":              {in: []byte{0x36, 0}, err: errMalformed},
		"too large":          {in: []byte{0x30, 0xff, 0xff, 0xff, 0x7f}, err: errTooLarge},
	} {
		got, err := readPacket(bufio.NewReader(bytes.NewReader(c.in)), 1<<20)
		if c.err != nil {
			if !errors.Is(err, c.err) {
				t.Errorf("%s: error %v, want %v", name, err, c.err)
			}
			continue
		}
		if err != nil || !bytes.Equal(got, c.want) {
			t.Errorf("%s: %d bytes, %v: want %d bytes", name, len(got), err, len(c.want))
		}
	}
}

func TestInspect(t *testing.T) {
	v5 := func(props string) string {
		return string(binary.AppendUvarint(nil, uint64(len(props)))) + props + "\xff\xd8"
	}
	for name, c := range map[string]struct {
		packet  []byte
		version byte
		want    slot
		ok      bool
	}{
		"frame":                     {packet.Publish(0x30, "cam/a/frame", "\xff\xd8"), 4, slot{topic: "cam/a/frame"}, true},
		"empty frame":               {packet.Publish(0x30, "cam/a/frame", ""), 4, slot{topic: "cam/a/frame"}, true},
		"retained preview":          {packet.Publish(0x31, "cam/a/preview", "x"), 4, slot{"cam/a/preview", true}, true},
		"snapshot":                  {packet.Publish(0x30, "cam/a/snapshot", "x"), 3, slot{topic: "cam/a/snapshot"}, true},
		"frame at QoS 1":            {packet.Publish(0x32, "cam/a/frame", "\x00\x01x"), 4, slot{}, false},
		"meta":                      {packet.Publish(0x30, "cam/a/snapshot/meta", "{}"), 4, slot{}, false},
		"state":                     {packet.Publish(0x30, "cam/a/state", "{}"), 4, slot{}, false},
		"other base":                {packet.Publish(0x30, "other/a/frame", "x"), 4, slot{}, false},
		"bad id":                    {packet.Publish(0x30, "cam/A/frame", "x"), 4, slot{}, false},
		"puback":                    {[]byte{0x40, 2, 0, 1}, 4, slot{}, false},
		"5: no properties":          {packet.Publish(0x30, "cam/a/frame", v5("")), 5, slot{topic: "cam/a/frame"}, true},
		"5: expiry, user, sub id":   {packet.Publish(0x30, "cam/a/frame", v5("\x02\x00\x00\x00\x05\x26\x00\x01a\x00\x01b\x0b\x81\x01\x01\x01\x03\x00\x01t")), 5, slot{topic: "cam/a/frame"}, true},
		"5: alias set":              {packet.Publish(0x30, "cam/a/frame", v5("\x01\x00\x23\x00\x01")), 5, slot{}, false},
		"5: alias used":             {packet.Publish(0x30, "", v5("\x23\x00\x01")), 5, slot{}, false},
		"5: unknown property":       {packet.Publish(0x30, "cam/a/frame", v5("\x7f\x00")), 5, slot{}, false},
		"5: properties cut":         {packet.Publish(0x30, "cam/a/frame", "\x05\x02\x00"), 5, slot{}, false},
		"5: property cut":           {packet.Publish(0x30, "cam/a/frame", "\x02\x02\x00x"), 5, slot{}, false},
		"5: no property length":     {packet.Publish(0x30, "cam/a/frame", ""), 5, slot{}, false},
		"5: text longer than it is": {packet.Publish(0x30, "cam/a/frame", "\x03\x26\xff\xff"), 5, slot{}, false},
	} {
		got, _, ok, err := inspect(c.packet, c.version, "cam")
		if err != nil || ok != c.ok || got != c.want {
			t.Errorf("%s: %+v %t %v, want %+v %t", name, got, ok, err, c.want, c.ok)
		}
	}
	for name, p := range map[string][]byte{
		"no topic":        {0x30, 0},
		"half a length":   {0x30, 1, 0},
		"topic too short": {0x30, 3, 0, 9, 'a'},
	} {
		if _, _, _, err := inspect(p, 4, "cam"); !errors.Is(err, errMalformed) {
			t.Errorf("%s: error %v, want %v", name, err, errMalformed)
		}
	}
}

// FuzzPacket feeds what a broker might send through everything that looks at it.
func FuzzPacket(f *testing.F) {
	f.Add([]byte{0xd0, 0}, byte(4))
	f.Add(packet.Publish(0x30, "cam/a/frame", "\xff\xd8\xff\xd9"), byte(4))
	f.Add(packet.Publish(0x31, "cam/a/preview", "\x05\x02\x00\x00\x00\x01x"), byte(5))
	f.Add(packet.Publish(0x30, "", "\x03\x23\x00\x01x"), byte(5))
	f.Add(packet.Publish(0x32, "cam/a/result", "\x00\x01{}"), byte(4))
	f.Add(packet.Connect(5, "id"), byte(5))
	f.Add([]byte{0x30, 0xff, 0xff, 0xff, 0xff, 1}, byte(5))
	f.Fuzz(func(t *testing.T, in []byte, version byte) {
		const limit = 4096
		r := bufio.NewReader(bytes.NewReader(in))
		var out []byte
		for {
			p, err := readPacket(r, limit)
			if err != nil {
				break
			}
			if len(p) > limit || len(p) < 2 {
				t.Fatalf("a packet of %d bytes, limit %d", len(p), limit)
			}
			out = append(out, p...)
			s, kind, ok, err := inspect(p, version, "cam")
			if err != nil {
				break
			}
			if ok && (!kind.IsPicture() || p[0]&0xf6 != 0x30 || !bytes.Contains(p, []byte(s.topic)) || s.topic != wire.Base("cam").Topic(idOf(t, s.topic), kind)) {
				t.Fatalf("% x may be replaced as %+v of kind %s", p, s, kind)
			}
		}
		if !bytes.HasPrefix(in, out) {
			t.Fatalf("% x was passed on as % x", in, out)
		}
	})
}

func idOf(t *testing.T, topic string) wire.ID {
	id, _, ok := wire.Base("cam").Split(topic)
	if !ok {
		t.Fatalf("%q is no topic of a camera", topic)
	}
	return id
}
