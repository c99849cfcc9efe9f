package webguard

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// trustLoopback are the proxies that are trusted without a configuration.
func trustLoopback(t testing.TB) proxies {
	t.Helper()
	p, err := parseProxies(nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// from is a request of a peer, with further headers in pairs.
func from(peer, host string, headers ...string) *http.Request {
	r := httptest.NewRequest("GET", "/mqtt", nil)
	r.RemoteAddr, r.Host = peer, host
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

func TestOrigins(t *testing.T) {
	o, err := parseOrigins([]string{"https://cams.example", "http://192.168.1.5:8123/", "http://Plain.example:80"})
	if err != nil {
		t.Fatal(err)
	}
	rule := originRule{listed: o, proxies: trustLoopback(t)}
	for _, c := range []struct {
		origin, host string
		want         bool
	}{
		{"", "anything", true},
		{"http://pi.local:8080", "pi.local:8080", true},
		{"http://PI.local:8080", "pi.local:8080", true},
		{"https://proxy.example", "proxy.example", true},
		{"https://proxy.example", "proxy.example:443", true},
		{"http://pi.local", "pi.local:80", true},
		{"https://cams.example", "127.0.0.1:8080", true},
		{"https://cams.example:443", "127.0.0.1:8080", true},
		{"http://192.168.1.5:8123", "192.168.1.5:8080", true},
		{"http://plain.example", "h", true},
		{"http://cams.example", "127.0.0.1:8080", false},
		{"https://cams.example.evil.example", "127.0.0.1:8080", false},
		{"http://192.168.1.5:8124", "192.168.1.5:8080", false},
		{"http://pi.local:8081", "pi.local:8080", false},
		{"http://evil.example", "pi.local:8080", false},
		{"null", "pi.local:8080", false},
		{"file://", "pi.local:8080", false},
		{"ftp://pi.local:8080", "pi.local:8080", false},
		{"http://%zz", "pi.local:8080", false},
	} {
		if got := rule.allows(from("192.0.2.7:4000", c.host), c.origin); got != c.want {
			t.Errorf("origin %q at %q: allowed %t, want %t", c.origin, c.host, got, c.want)
		}
	}
	for _, bad := range []string{"", "*", "cams.example", "https://*.example", "https://", "https://a.example/path", "ws://a.example", "https://u:p@a.example", "https://a.example?x"} {
		if _, err := parseOrigins([]string{bad}); err == nil {
			t.Errorf("origin %q was taken", bad)
		}
	}
}

// TestOriginsBehindProxies compares the origin of a page with what its proxy says.
func TestOriginsBehindProxies(t *testing.T) {
	p, err := parseProxies([]string{"loopback", "172.18.0.0/16"})
	if err != nil {
		t.Fatal(err)
	}
	names, err := parseHosts([]string{"cams.example"}, origins{})
	if err != nil {
		t.Fatal(err)
	}
	rule := originRule{listed: origins{}, proxies: p, names: names}
	const near, docker, far = "127.0.0.1:4000", "172.18.0.3:4000", "192.0.2.7:4000"
	for name, c := range map[string]struct {
		r      *http.Request
		origin string
		want   bool
		remedy string // of a refusal
	}{
		"port kept":                      {from(near, "localhost:8443"), "http://localhost:8443", true, ""},
		"port lost":                      {from(near, "localhost"), "http://localhost:8443", true, ""},
		"port lost, TLS":                 {from(near, "cams.example"), "https://cams.example:8443", true, ""},
		"port lost, IPv6":                {from(near, "[::1]"), "http://[::1]:8443", true, ""},
		"port lost in a network":         {from(docker, "pi.local"), "http://pi.local:8443", true, ""},
		"port lost, untrusted":           {from(far, "pi.local"), "http://pi.local:8443", false, "192.0.2.7, the address of the proxy, to dashboard.trusted_proxies"},
		"another port":                   {from(near, "localhost:8080"), "http://localhost:8443", false, "http://localhost:8443 to dashboard.origins"},
		"another name":                   {from(near, "localhost"), "http://evil.example:8443", false, "http://evil.example:8443 to dashboard.origins"},
		"a page beside it":               {from(near, "localhost", "Sec-Fetch-Site", "same-site"), "http://localhost:3000", false, "dashboard.origins"},
		"its own page":                   {from(near, "localhost", "Sec-Fetch-Site", "same-origin"), "http://localhost:8443", true, ""},
		"forwarded":                      {from(near, "127.0.0.1:8080", "X-Forwarded-Host", "cams.example:8443"), "https://cams.example:8443", true, ""},
		"forwarded, first of two":        {from(near, "127.0.0.1:8080", "X-Forwarded-Host", "cams.example, inner:80"), "https://cams.example", true, ""},
		"forwarded, port lost":           {from(near, "127.0.0.1:8080", "X-Forwarded-Host", "cams.example"), "https://cams.example:8443", true, ""},
		"forwarded, another port":        {from(near, "127.0.0.1:8080", "X-Forwarded-Host", "cams.example:1"), "https://cams.example:8443", false, "dashboard.origins"},
		"forwarded, a name we know not":  {from(near, "127.0.0.1:8080", "X-Forwarded-Host", "other.example"), "https://other.example", false, "dashboard.hosts"},
		"forwarded by who is no proxy":   {from(far, "127.0.0.1:8080", "X-Forwarded-Host", "cams.example"), "https://cams.example", false, "192.0.2.7, the address of the proxy, to dashboard.trusted_proxies"},
		"what no page has for an origin": {from(near, "localhost"), "null", false, "dashboard.origins, and not in a sandbox"},
	} {
		if got := rule.allows(c.r, c.origin); got != c.want {
			t.Errorf("%s: allowed %t, want %t", name, got, c.want)
		}
		if why := rule.refusal(c.r, c.origin); !c.want && !strings.Contains(why, c.remedy) {
			t.Errorf("%s: %q does not say %q", name, why, c.remedy)
		}
	}
}

// FuzzGuard feeds what visitors may write into headers through everything that
// decides by it.
func FuzzGuard(f *testing.F) {
	f.Add("localhost:8080", "http://localhost:8080", "127.0.0.1, 203.0.113.9", "Basic YTpi")
	f.Add("[::1]", "null", "::1", "")
	f.Add("evil.example", "https://evil.example", "unknown", "Basic %")
	f.Add("127.0.0.1.evil.example:1", "HTTP://[::1]:x", ",,", "Bearer x")
	o, err := parseOrigins([]string{"https://cams.example"})
	if err != nil {
		f.Fatal(err)
	}
	names, err := parseHosts(nil, o)
	if err != nil {
		f.Fatal(err)
	}
	rule := originRule{listed: o, proxies: trustLoopback(f), names: names}
	f.Fuzz(func(t *testing.T, host, origin, forwarded, login string) {
		if (names.know(host, true) || names.know(host, false)) && strings.Contains(strings.ToLower(host), "evil.example") {
			t.Errorf("Host %q is taken for one of this machine", host)
		}
		local := from("127.0.0.1:1", "own.example")
		local.Header.Set("X-Forwarded-Host", host)
		if rule.allows(local, origin) && origin != "" && !names.know(host, false) {
			if low := strings.ToLower(origin); !strings.Contains(low, "own.example") && !strings.Contains(low, "cams.example") {
				t.Errorf("origin %q is allowed", origin)
			}
		}
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = "127.0.0.1:1"
		r.Header.Set("X-Forwarded-For", forwarded)
		r.Header.Set("Authorization", login)
		a, ok := trustLoopback(t).client(r).(*net.TCPAddr)
		if !ok || (a.IP.IsLoopback() && forwarded != "" && !strings.Contains(forwarded, "127.") && !strings.Contains(forwarded, ":")) {
			t.Errorf("X-Forwarded-For %q makes the visitor %v", forwarded, a)
		}
	})
}
