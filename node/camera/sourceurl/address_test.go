package sourceurl

import (
	"net/url"
	"testing"
)

func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{"http://a:b#c@h/x", "rtsp://a:%@h", "http://h/x#y=1", "://@/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		u, err := ParseAddress(s)
		if err != nil {
			return
		}
		if plain, err := url.Parse(s); err == nil && plain.User != nil && plain.String() != u.String() {
			t.Errorf("%q is %q", s, u)
		}
	})
}
