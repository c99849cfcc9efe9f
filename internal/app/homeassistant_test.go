package app

import (
	"net"
	"testing"

	"camqtt/internal/config"
	"camqtt/internal/wire"
)

func TestHostID(t *testing.T) {
	for host, want := range map[string]wire.ID{
		"cellar": "cellar", "Pi-4.home.arpa": "pi-4", "küche": "k-che", "-x": "", "": "", "a_b": "a_b",
		"a-name-that-is-much-longer-than-an-id-may-be": "a-name-that-is-much-longer-than-",
	} {
		if got := hostID(host); got != want {
			t.Errorf("hostID(%q) = %q, want %q", host, got, want)
		}
	}
}

func TestBridgeOf(t *testing.T) {
	for name, c := range map[string]struct {
		sources []string
		want    wire.ID
	}{
		"one elsewhere":     {[]string{"http://a/", "test:"}, ""},
		"two elsewhere":     {[]string{"http://a/", "https://b/", "v4l2:/dev/video0"}, "pi"},
		"through a program": {[]string{"exec:ffmpeg -i rtsp://a/ -", "push:"}, "pi"},
		"all here":          {[]string{"test:", "v4l2:/dev/video0", "dir:/a"}, ""},
	} {
		var cameras []config.Camera
		for _, s := range c.sources {
			cameras = append(cameras, config.Camera{Source: s})
		}
		if b := bridgeOf(cameras, "pi"); b.id != c.want || (b.shared != nil) != (c.want != "") {
			t.Errorf("%s: bridge %+v, want %q", name, b, c.want)
		}
	}
}

func TestPageURL(t *testing.T) {
	at := func(s string) net.Addr {
		a, err := net.ResolveTCPAddr("tcp", s)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	own := ownAddress()
	for _, c := range []struct {
		url, cert string
		bound     net.Addr
		want      string
	}{
		{"", "", nil, ""},
		{"https://cams.example", "", nil, "https://cams.example"},
		{"https://cams.example", "", at("127.0.0.1:8080"), "https://cams.example"},
		{"", "", at("127.0.0.1:8080"), "http://127.0.0.1:8080"},
		{"", "x.pem", at("192.168.1.2:443"), "https://192.168.1.2:443"},
		{"", "", at("[fd00::1]:8080"), "http://[fd00::1]:8080"},
		{"", "", at("0.0.0.0:8080"), "http://" + net.JoinHostPort(own, "8080")},
	} {
		if own == "" && c.bound != nil && c.bound.String() == "0.0.0.0:8080" {
			c.want = "" // a machine without a network
		}
		cfg := &config.Config{
			HomeAssistant: config.HomeAssistant{URL: c.url}, Dashboard: &config.Dashboard{TLS: config.DashboardTLS{Cert: c.cert}},
		}
		if got := pageURL(cfg, c.bound); got != c.want {
			t.Errorf("url %q bound to %v: %q, want %q", c.url, c.bound, got, c.want)
		}
	}
}
