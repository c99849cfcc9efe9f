package clientip

import (
	"net"
	"testing"
)

func TestGroup(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.7:4000": "192.0.2.7", "192.0.2.7": "192.0.2.7", "[::ffff:192.0.2.7]:1": "192.0.2.7",
		"[2001:db8:0:1:2::3]:1": "2001:db8:0:1::", "2001:db8:0:1::ffff": "2001:db8:0:1::", "fe80::1%eth0": "fe80::",
	} {
		ip, ok := Parse(text)
		if got := Group(ip).String(); !ok || got != want {
			t.Errorf("%s: %s %t, want %s", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "pipe", "host:80", "@"} {
		if ip, ok := Parse(text); ok {
			t.Errorf("%q is the address %s", text, ip)
		}
	}
	if _, ok := Of(nil); ok {
		t.Error("no address has an IP address")
	}
	if ip, ok := Of(&net.TCPAddr{IP: net.IPv4(192, 0, 2, 7)}); !ok || ip.String() != "192.0.2.7" {
		t.Errorf("%s %t", ip, ok)
	}
}
