package brokerurl

import (
	"slices"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for in, want := range map[string]string{
		"mqtt://h":                "mqtt://h:1883",
		"mqtts://h":               "mqtts://h:8883",
		"ws://h":                  "ws://h:80/mqtt",
		"wss://h:1/x":             "wss://h:1/x",
		"tcp://[::1]":             "tcp://[::1]:1883",
		"unix:///run/a.sock":      "unix:///run/a.sock",
		"mqtt://u:p@h:1":          "mqtt://u:p@h:1",
		"h":                       "mqtt://h:1883",
		"h:1884":                  "mqtt://h:1884",
		"192.168.1.10":            "mqtt://192.168.1.10:1883",
		"hub.local:1884":          "mqtt://hub.local:1884",
		"::1":                     "mqtt://[::1]:1883",
		"[fe80::1]:1884":          "mqtt://[fe80::1]:1884",
		"adm:geheim@h":            "mqtt://adm:geheim@h:1883",
		"adm@h:1884":              "mqtt://adm@h:1884",
		"mqtt":                    "mqtt://mqtt:1883",
		"mqtt:/adm:geheim@h":      "two slashes are missing: want mqtt://HOST",
		"mqtt:adm:geheim@h":       "mqtt://mqtt:adm%3Ageheim@h:1883",
		"http://h":                "unknown scheme",
		"geheim://h":              "unknown scheme",
		"mqtt://":                 "no host",
		"unix://":                 "no path",
		"":                        "not a host",
		"adm:geheim@":             "not a host",
		"h/geheim":                "not a host",
		"h:x":                     "not a URL",
		"h:0":                     "port is not a number",
		"h:65536":                 "port is not a number",
		"mqtt://u:geheim@h:x1":    "not a URL",
		"mqtt://u:ge/heim@h":      "not a URL",
		"mqtt://u:***@h":          "stands for a password",
		"adm:ge/geheim@h/geheim":  "not a host",
		"mqtt://u:100%geheim@h:1": "not a URL",
	} {
		u, err := Parse(in)
		switch {
		case err == nil && u.String() != want:
			t.Errorf("Parse(%q) = %s, want %s", in, u, want)
		case err != nil && !strings.Contains(err.Error(), want):
			t.Errorf("Parse(%q): %v, want a word on %s", in, err, want)
		case err != nil && in != "geheim://h" && strings.Contains(err.Error(), "geheim"):
			t.Errorf("Parse(%q): the error has the password: %v", in, err)
		}
	}
}

func TestWords(t *testing.T) {
	if got := Words("mqtt://a, b:1884 wss://c,,d\n"); !slices.Equal(got, []string{"mqtt://a", "b:1884", "wss://c", "d"}) {
		t.Errorf("got %q", got)
	}
}

// Whatever is parsed once is parsed again to the same.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"h", "h:1884", "adm:p@h", "mqtt:/adm:p@h", "ws://h", "::1", "unix:///a", "mqtt://u:p%40@[::1]:1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		u, err := Parse(s)
		if err != nil {
			return
		}
		again, err := Parse(u.String())
		if err != nil || again.String() != u.String() {
			t.Errorf("%q is %q, which is %v, %v", s, u, again, err)
		}
	})
}
