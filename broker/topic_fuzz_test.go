package broker

import (
	"strings"
	"testing"

	"camqtt/internal/access"
	"camqtt/internal/wire"
)

// under is matches written for the reader: level by level, over slices.
func under(filter, topic []string) bool {
	switch {
	case len(filter) == 1 && filter[0] == "#":
		return true
	case len(filter) == 0 || len(topic) == 0:
		return len(filter) == len(topic)
	case filter[0] != "+" && filter[0] != topic[0]:
		return false
	}
	return under(filter[1:], topic[1:])
}

// Whatever comes, nothing panics; what is accepted matches as the standard says.
func FuzzTopics(f *testing.F) {
	for _, s := range [][2]string{{"cam/+/frame", "cam/front/frame"}, {"a/#", "a"}, {"#", "$SYS/x"}, {"$share/g/+/b", "a/b"}, {"/", "//"}, {"\xff", "\x00"}} {
		f.Add(s[0], s[1])
	}
	l, err := Limits{}.withDefaults()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, filter, topic string) {
		access.Share(filter)
		got := matches(filter, topic)
		access.Space{}.Allowed(access.Principal{Role: access.Viewer, All: true}, access.Subscribe, filter)
		id, k := picture("cam", topic)
		if k != ordinary && (!wire.IsID(id) || checkTopic(topic, &l) != nil) {
			t.Errorf("%q is a picture's topic but no topic", topic)
		}
		if _, _, shared := access.Share(filter); shared || checkFilter(filter, &l) != nil || checkTopic(topic, &l) != nil {
			return
		}
		if want := under(strings.Split(filter, "/"), strings.Split(topic, "/")); got != want {
			t.Errorf("matches(%q, %q) = %v", filter, topic, got)
		}
	})
}

// FuzzHeader holds header to the bounds of the standard and to appendLength.
func FuzzHeader(f *testing.F) {
	f.Add([]byte{0x30, 0x80, 0x01})
	f.Add([]byte{0x30, 0xff, 0xff, 0xff, 0x7f})
	f.Fuzz(func(t *testing.T, b []byte) {
		hl, n := header(b)
		if hl == 0 {
			return
		}
		if hl > 5 || hl > len(b) || n < 0 || n > 256<<20-1 {
			t.Fatalf("header(%x) = %d, %d", b, hl, n)
		}
		if again := appendLength([]byte{b[0]}, n); len(again) > hl {
			t.Errorf("%d takes %d bytes, read from %d", n, len(again), hl)
		}
	})
}
