package dashboard

import (
	"net/http"
	"strings"
	"testing"

	"camqtt/internal/access"
)

// TestEmbedding loads pictures and the page as browsers do for pages of other sites.
func TestEmbedding(t *testing.T) {
	const home, evil = "https://ha.example", "https://evil.example"
	s := serve(t, Options{Embed: []string{home, "http://192.0.2.5:8123"}})
	for name, c := range map[string]struct {
		path, dest, referer string
		want                int
	}{
		"picture":                {"/cam/porch/snapshot.jpg", "image", home + "/", 200},
		"picture, no referrer":   {"/cam/porch/snapshot.jpg", "image", "", 200},
		"picture, another site":  {"/cam/porch/snapshot.jpg", "image", evil + "/", 403},
		"picture, script":        {"/cam/porch/snapshot.jpg", "script", home + "/", 403},
		"picture, fetch":         {"/cam/porch/snapshot.jpg", "empty", home + "/", 403},
		"page":                   {"/", "iframe", home + "/lovelace", 200},
		"page, no referrer":      {"/", "iframe", "", 200},
		"page, another site":     {"/", "iframe", evil + "/", 403},
		"login":                  {"/login", "iframe", "", 303},
		"list":                   {"/api/cameras", "empty", home + "/", 403},
		"list as a picture":      {"/api/cameras", "image", home + "/", 403},
		"figures in a frame":     {"/metrics", "iframe", home + "/", 403},
		"page's script as image": {"/app.js", "image", home + "/", 403},
	} {
		resp, body := ask(t, "GET", s.url+c.path, "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", c.dest, "Referer", c.referer)
		if resp.StatusCode != c.want {
			t.Errorf("%s: %d %.60q, want %d", name, resp.StatusCode, body, c.want)
		}
		if c.want < 400 && resp.Header.Get("Cross-Origin-Resource-Policy") != "cross-origin" {
			t.Errorf("%s: the browser would not show it", name)
		}
		if policy := resp.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "frame-ancestors 'self' http://192.0.2.5:8123 https://ha.example;") {
			t.Errorf("%s: policy %q", name, policy)
		}
	}
	if resp, _ := ask(t, "GET", s.url+"/api/cameras"); resp.Header.Get("Cross-Origin-Resource-Policy") != "same-origin" {
		t.Error("what is no picture may be shown by other sites")
	}
}

// TestCookieInAFrame looks at what a browser keeps that logs in within another site's page.
func TestCookieInAFrame(t *testing.T) {
	for name, c := range map[string]struct {
		embed []string
		proto string
		site  http.SameSite
		part  bool
	}{
		"none":       {nil, "https", http.SameSiteStrictMode, false},
		"embedded":   {[]string{"https://ha.example"}, "https", http.SameSiteNoneMode, true},
		"plain http": {[]string{"https://ha.example"}, "http", http.SameSiteStrictMode, false},
	} {
		s := serveClosed(t, access.AnonymousNever, Options{Embed: c.embed})
		resp, _ := post(t, s.url+"/login", "user=ann&password="+s.tokens["ann"], "X-Forwarded-Proto", c.proto, "Content-Type", "application/x-www-form-urlencoded")
		if len(resp.Cookies()) != 2 {
			t.Fatalf("%s: cookies %v", name, resp.Cookies())
		}
		if k := resp.Cookies()[0]; k.SameSite != c.site || k.Partitioned != c.part || !k.HttpOnly {
			t.Errorf("%s: cookie %s", name, k.Raw)
		}
	}
}
