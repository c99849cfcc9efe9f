package webguard

import (
	"os"
	"testing"
)

// B11. By which names the page is reached, from this machine and from others.
func TestHosts(t *testing.T) {
	o, err := parseOrigins([]string{"https://proxy.example"})
	if err != nil {
		t.Fatal(err)
	}
	h, err := parseHosts([]string{"Cams.Example."}, o)
	if err != nil {
		t.Fatal(err)
	}
	me, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string][2]bool{ // on loopback, elsewhere
		"localhost:8080": {true, true}, "127.0.0.1": {true, true}, "[::1]:80": {true, true}, me: {true, true}, me + ".local:8080": {true, true},
		"cams.example": {true, true}, "proxy.example:443": {true, true},
		"192.168.1.5:8080": {false, true}, "[fe80::1%25eth0]": {false, true}, "[2001:db8::1]:8080": {false, true},
		"pi": {false, true}, "pi.local": {false, true}, "pi.lan.": {false, true}, "nas.home.arpa": {false, true}, "hub.internal:80": {false, true},
		"evil.example": {}, "cams.example.evil.example": {}, "192.168.1.5.evil.example": {}, "127.0.0.1.evil.example:8080": {}, "local.evil.example": {},
		"x.cams.example": {}, "pi.locale": {}, "xn--80ak6aa92e.com": {}, "a.b": {}, "evil.example/": {}, "user@evil.example": {},
		":evil.example": {}, "localhost:evil.example": {}, "pi:evil": {}, "127.0.0.1:70000": {}, "": {true, true}, ":8080": {true, true}, "localhost:": {true, true},
	} {
		if got := [2]bool{h.know(host, true), h.know(host, false)}; got != want {
			t.Errorf("Host %q: on loopback %v, elsewhere %v, want %v", host, got[0], got[1], want)
		}
	}
	for _, name := range []string{"", "https://cams.example", "cams.example:80:80", "*.example", "a b", "a/b"} {
		if _, err := parseHosts([]string{name}, o); err == nil {
			t.Errorf("host %q is taken", name)
		}
	}
}
