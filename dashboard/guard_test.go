package dashboard

import (
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
