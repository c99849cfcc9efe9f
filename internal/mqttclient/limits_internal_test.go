package mqttclient

import (
	"bytes"
	"testing"
)

func TestReadLimits(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		want Limits
		ok   bool
	}{
		"nothing told":   {"\x20\x03\x00\x00\x00", Limits{}, true},
		"packet, retain": {"\x20\x0a\x00\x00\x07\x27\x00\x01\x86\xa0\x25\x00", Limits{100_000, true}, true},
		"retain":         {"\x20\x05\x00\x00\x02\x25\x01", Limits{}, true},
		"refused":        {"\x20\x03\x00\x87\x00", Limits{}, false},
		"MQTT 3.1.1":     {"\x20\x02\x00\x01", Limits{}, false},
		"another packet": {"\xd0\x00", Limits{}, false},
		"cut":            {"\x20\x0a\x00\x00\x07\x27", Limits{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := readLimits(bytes.NewReader([]byte(c.in)))
			if got != c.want || (err == nil) != c.ok {
				t.Errorf("%+v, %v; want %+v", got, err, c.want)
			}
		})
	}
}

func FuzzReadLimits(f *testing.F) {
	f.Add([]byte("\x20\x0a\x00\x00\x07\x27\x00\x01\x86\xa0\x25\x00"))
	f.Add([]byte("\x20\x02\x00\x01"))
	f.Add([]byte("\x20\xff\xff\xff\x7f"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if x, err := readLimits(bytes.NewReader(b)); err != nil && x != (Limits{}) || x.MaxPacket < 0 {
			t.Fatalf("%+v, %v", x, err)
		}
	})
}
