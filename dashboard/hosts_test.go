package dashboard

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"camqtt/internal/access"
)

// The names of the certificate are good, and so is nothing else; who rebinds a name to
// an address of this network is refused, whatever he asks for.
func TestForeignNamesInTheNetwork(t *testing.T) {
	d, err := New(Options{Viewer: newFake(), Attach: echo, Log: quietLog(), Named: func(host string) bool { return host == "cert.example" }})
	if err != nil {
		t.Fatal(err)
	}
	near := &net.TCPAddr{IP: net.IPv4(192, 168, 1, 5), Port: 8080}
	for host, want := range map[string]int{"cert.example:8080": 200, "192.168.1.5:8080": 200, "evil.example:8080": 421} {
		for _, path := range []string{"/", "/api/cameras", "/api/me"} {
			r := httptest.NewRequestWithContext(context.WithValue(t.Context(), http.LocalAddrContextKey, net.Addr(near)), "GET", "http://"+host+path, nil)
			w := httptest.NewRecorder()
			d.Handler().ServeHTTP(w, r)
			if w.Code != want {
				t.Errorf("%s%s: %d %q, want %d", host, path, w.Code, w.Body, want)
			}
		}
	}
}

// B11. No page of another site, port or name changes anything, by whatever kind of
// request; programs that are no browsers may.
func TestForeignPagesChangeNothing(t *testing.T) {
	c := serveClosed(t, access.AnonymousNever, Options{Enrol: &inviter{}, Users: &userFile{}, Origins: []string{"https://proxy.example"}})
	root := c.logIn(t, "root", c.tokens["root"])
	for name, tc := range map[string]struct {
		header []string
		want   bool
	}{
		"form of another site":   {[]string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}, false},
		"fetch no-cors":          {[]string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors"}, false},
		"another port":           {[]string{"Origin", "http://127.0.0.1:1", "Sec-Fetch-Site", "same-site"}, false},
		"another port, old":      {[]string{"Origin", "http://127.0.0.1:1"}, false},
		"a sandbox":              {[]string{"Origin", "null"}, false},
		"another site, old":      {[]string{"Origin", "http://evil.example"}, false},
		"our page":               {[]string{"Origin", c.url, "Sec-Fetch-Site", "same-origin"}, true},
		"our page, old":          {[]string{"Origin", c.url}, true},
		"our page, proxied":      {[]string{"Origin", "https://proxy.example"}, true},
		"no browser":             {nil, true},
		"typed into the browser": {[]string{"Sec-Fetch-Site", "none"}, true},
	} {
		for _, path := range []string{"/api/enrol", "/api/users", "/api/mqtt-ticket", "/login"} {
			resp, body := post(t, c.url+path, "{}", append(root, tc.header...)...)
			if (resp.StatusCode != 403) != tc.want {
				t.Errorf("%s: %s is answered with %d %q", name, path, resp.StatusCode, body)
			}
		}
		if resp, _ := askWith(t, "DELETE", c.url+"/api/users/nobody", "", append(root, tc.header...)...); (resp.StatusCode == 404) != tc.want {
			t.Errorf("%s: DELETE is answered with %d", name, resp.StatusCode)
		}
	}
	// A form that claims nothing cannot be JSON.
	for _, path := range []string{"/api/enrol", "/api/users"} {
		for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""} {
			if resp, _ := askWith(t, "POST", c.url+path, `{"id":"x"}`, append(root, "Content-Type", kind)...); resp.StatusCode != 415 {
				t.Errorf("%s as %q: %d, want 415", path, kind, resp.StatusCode)
			}
		}
	}
	if c.status(t, "/", root...) != 200 {
		t.Error("the session did not live through it")
	}
}

// B12. The WebSocket opens for our own page only, whoever has a session.
func TestForeignPagesGetNoSocket(t *testing.T) {
	c := serveClosed(t, access.AnonymousNever, Options{})
	cookie := c.logIn(t, "op", c.tokens["op"])
	for origin, want := range map[string]int{
		"https://evil.example": 403, "null": 403, "http://127.0.0.1:1": 403, "http://localhost:1": 403, "file://": 403, c.url: 101,
	} {
		_, resp, _ := dialWS(t, c.served, append(cookie, "Origin", origin)...)
		if resp == nil || resp.StatusCode != want {
			t.Errorf("Origin %s: %v, want %d", origin, resp, want)
		}
	}
}
