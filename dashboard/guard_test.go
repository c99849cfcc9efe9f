package dashboard

import (
	"net"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestEveryAnswerCarriesThePolicy(t *testing.T) {
	s := serve(t, Options{})
	for _, path := range []string{"/", "/app.js", "/nothing", "/healthz", "/api/cameras", "/metrics", "/cam/porch/snapshot.jpg", "/cam/NO/snapshot.jpg", "/mqtt"} {
		resp, _ := ask(t, "GET", s.url+path)
		for name, want := range map[string]string{
			"Content-Security-Policy":      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
			"X-Content-Type-Options":       "nosniff",
			"Referrer-Policy":              "no-referrer",
			"Cross-Origin-Opener-Policy":   "same-origin",
			"Cross-Origin-Resource-Policy": "same-origin",
		} {
			if got := resp.Header.Get(name); got != want {
				t.Errorf("GET %s: %s is %q, want %q", path, name, got, want)
			}
		}
		if resp.Header.Get("Permissions-Policy") == "" {
			t.Errorf("GET %s: no Permissions-Policy", path)
		}
	}
}

func TestMethods(t *testing.T) {
	s := serve(t, Options{})
	for _, path := range []string{"/", "/app.js", "/mqtt", "/cam/porch/snapshot.jpg", "/cam/porch/stream.mjpg", "/api/cameras", "/healthz", "/readyz", "/metrics"} {
		for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS"} {
			resp, body := ask(t, method, s.url+path)
			if resp.StatusCode != 405 || !strings.Contains(resp.Header.Get("Allow"), "GET") {
				t.Errorf("%s %s = %d %.40q, Allow %q: want 405 and GET allowed", method, path, resp.StatusCode, body, resp.Header.Get("Allow"))
			}
		}
	}
}

func TestHostOnLoopback(t *testing.T) {
	s := serve(t, Options{Origins: []string{"https://cams.example"}})
	for host, want := range map[string]int{
		"localhost": 200, "LOCALHOST:1": 200, "127.0.0.1:8080": 200, "127.1.2.3": 200, "[::1]:80": 200, "[::1]": 200, "localhost.": 200,
		"cams.example": 200, "Cams.Example:443": 200,
		"evil.example": 421, "evil.example:8080": 421, "localhost.evil.example": 421, "127.0.0.1.evil.example": 421, "192.168.1.5": 421, "x.cams.example": 421,
	} {
		for _, path := range []string{"/", "/api/cameras", "/cam/porch/snapshot.jpg"} {
			resp, body := ask(t, "GET", s.url+path, "Host", host)
			if resp.StatusCode != want {
				t.Errorf("GET %s with Host %s = %d %q, want %d", path, host, resp.StatusCode, body, want)
			}
			if want == 421 && !strings.Contains(body, "origins") {
				t.Errorf("Host %s: answer %q does not say what to do", host, body)
			}
		}
	}
	if resp, body := ask(t, "GET", s.url+"/healthz", "Host", "evil.example"); resp.StatusCode != 200 || body != "ok\n" {
		t.Errorf("/healthz = %d %q, want 200 ok whatever the Host", resp.StatusCode, body)
	}
}

func TestForeignPagesCannotLoadPictures(t *testing.T) {
	f := newFake()
	s := serve(t, Options{Viewer: f})
	for _, c := range []struct {
		site, mode, dest string
		want             int
	}{
		{"same-origin", "no-cors", "image", 200},
		{"none", "navigate", "document", 200},
		{"cross-site", "navigate", "document", 200},
		{"cross-site", "no-cors", "image", 403},
		{"same-site", "no-cors", "image", 403},
		{"cross-site", "cors", "empty", 403},
		{"cross-site", "navigate", "iframe", 403},
	} {
		before := f.snaps.Load()
		resp, _ := ask(t, "GET", s.url+"/cam/porch/snapshot.jpg", "Sec-Fetch-Site", c.site, "Sec-Fetch-Mode", c.mode, "Sec-Fetch-Dest", c.dest)
		if resp.StatusCode != c.want {
			t.Errorf("%v: %d, want %d", c, resp.StatusCode, c.want)
		}
		if taken := f.snaps.Load() > before; taken != (c.want == 200) {
			t.Errorf("%v: picture taken: %t", c, taken)
		}
	}
}

func TestOrigins(t *testing.T) {
	o, err := parseOrigins([]string{"https://cams.example", "http://192.168.1.5:8123/", "http://Plain.example:80"})
	if err != nil {
		t.Fatal(err)
	}
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
		if got := o.allows(c.origin, c.host); got != c.want {
			t.Errorf("origin %q at %q: allowed %t, want %t", c.origin, c.host, got, c.want)
		}
	}
	for _, bad := range []string{"", "*", "cams.example", "https://*.example", "https://", "https://a.example/path", "ws://a.example", "https://u:p@a.example", "https://a.example?x"} {
		if _, err := parseOrigins([]string{bad}); err == nil {
			t.Errorf("origin %q was taken", bad)
		}
	}
}

func TestVisitorAddr(t *testing.T) {
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
		if got := visitorAddr(r).String(); got != c.want {
			t.Errorf("peer %s, %s %q: %s, want %s", c.peer, c.header, c.value, got, c.want)
		}
	}
	if a, ok := visitorAddr(httptest.NewRequest("GET", "/", nil)).(*net.TCPAddr); !ok || a == nil {
		t.Error("the address is not one of TCP")
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
	f.Fuzz(func(t *testing.T, host, origin, forwarded, login string) {
		if (names.know(host, true) || names.know(host, false)) && strings.Contains(strings.ToLower(host), "evil.example") {
			t.Errorf("Host %q is taken for one of this machine", host)
		}
		if o.allows(origin, "own.example") && origin != "" {
			if low := strings.ToLower(origin); !strings.Contains(low, "own.example") && !strings.Contains(low, "cams.example") {
				t.Errorf("origin %q is allowed", origin)
			}
		}
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = "127.0.0.1:1"
		r.Header.Set("X-Forwarded-For", forwarded)
		r.Header.Set("Authorization", login)
		a, ok := visitorAddr(r).(*net.TCPAddr)
		if !ok || (a.IP.IsLoopback() && forwarded != "" && !strings.Contains(forwarded, "127.") && !strings.Contains(forwarded, ":")) {
			t.Errorf("X-Forwarded-For %q makes the visitor %v", forwarded, a)
		}
	})
}
