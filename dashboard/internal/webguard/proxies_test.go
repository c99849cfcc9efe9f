package webguard

import (
	"net"
	"net/http/httptest"
	"testing"
)

func TestClientBehindProxies(t *testing.T) {
	for _, c := range []struct{ peer, header, value, want string }{
		{"192.0.2.7:4000", "", "", "192.0.2.7:4000"},
		{"127.0.0.1:4000", "", "", "127.0.0.1:4000"},
		{"[::1]:4000", "", "", "[::1]:4000"},
		{"127.0.0.1:4000", "X-Forwarded-For", "203.0.113.9", "203.0.113.9:0"},
		{"127.0.0.1:4000", "X-Forwarded-For", "127.0.0.1, 203.0.113.9", "203.0.113.9:0"},
		{"127.0.0.1:4000", "X-Forwarded-For", "203.0.113.9, 127.0.0.1", "203.0.113.9:0"},
		{"127.0.0.1:4000", "X-Forwarded-For", "127.0.0.1", ":0"},
		{"[::1]:4000", "X-Forwarded-For", "2001:db8::1", "[2001:db8::1]:0"},
		{"127.0.0.1:4000", "X-Forwarded-For", "unknown", ":0"},
		{"127.0.0.1:4000", "X-Forwarded-For", "127.0.0.1, ", ":0"},
		{"127.0.0.1:4000", "X-Real-Ip", "203.0.113.9", "203.0.113.9:0"},
		{"127.0.0.1:4000", "Forwarded", "for=127.0.0.1", ":0"},
		{"192.0.2.7:4000", "X-Forwarded-For", "127.0.0.1", "192.0.2.7:4000"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = c.peer
		if c.header != "" {
			r.Header.Set(c.header, c.value)
		}
		if got := trustLoopback(t).client(r).String(); got != c.want {
			t.Errorf("peer %s, %s %q: %s, want %s", c.peer, c.header, c.value, got, c.want)
		}
	}
	if a, ok := trustLoopback(t).client(httptest.NewRequest("GET", "/", nil)).(*net.TCPAddr); !ok || a == nil {
		t.Error("the address is not one of TCP")
	}
}

func TestTrustedProxies(t *testing.T) {
	p, err := parseProxies([]string{"10.0.0.0/8", "2001:db8::5"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		peer, forwarded string
		want            string
		encrypted       bool
		host            string
	}{
		{"10.1.2.3:9", "203.0.113.9", "203.0.113.9:0", true, "cams.example"},
		{"10.1.2.3:9", "203.0.113.9, 10.9.9.9", "203.0.113.9:0", true, "cams.example"},
		{"10.1.2.3:9", "127.0.0.1", ":0", true, "cams.example"},
		{"[2001:db8::5]:9", "203.0.113.9", "203.0.113.9:0", true, "cams.example"},
		{"[2001:db8::6]:9", "203.0.113.9", "[2001:db8::6]:9", false, ""},
		{"192.0.2.7:9", "203.0.113.9", "192.0.2.7:9", false, ""},
		{"127.0.0.1:9", "203.0.113.9", ":0", false, ""}, // a proxy on this machine, but none to believe: not local either
	} {
		r := from(c.peer, "h", "X-Forwarded-For", c.forwarded, "X-Forwarded-Proto", "https", "X-Forwarded-Host", "cams.example")
		if got := p.client(r).String(); got != c.want {
			t.Errorf("%s for %s: client %s, want %s", c.peer, c.forwarded, got, c.want)
		}
		if got := p.encrypted(r); got != c.encrypted {
			t.Errorf("%s: encrypted %t, want %t", c.peer, got, c.encrypted)
		}
		if got := p.host(r); got != c.host {
			t.Errorf("%s: host %q, want %q", c.peer, got, c.host)
		}
	}
	for _, bad := range []string{"", "proxy", "10.0.0.0/33", "fe80::1%eth0", "10.0.0"} {
		if _, err := parseProxies([]string{bad}); err == nil {
			t.Errorf("proxy %q is taken", bad)
		}
	}
	if none, err := parseProxies([]string{}); err != nil || none.trusts(peer(from("127.0.0.1:1", "h"))) {
		t.Errorf("an empty list trusts this machine: %v", err)
	}
}
