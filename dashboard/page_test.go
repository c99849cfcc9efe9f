package dashboard

import (
	"net/http"
	"strings"
	"testing"
	"testing/fstest"
)

func TestPageIsServed(t *testing.T) {
	s := serve(t, Options{Base: "home/cams"})
	resp, body := ask(t, "GET", s.url+"/")
	wantAnswer(t, resp, body, 200, `data-base="home/cams"`, "<script type=\"module\"")
	if strings.Contains(body, "{{") {
		t.Error("the page still has a template in it")
	}
	for path, want := range map[string]string{
		"/":                     "text/html; charset=utf-8",
		"/index.html":           "text/html; charset=utf-8",
		"/app.js":               "text/javascript; charset=utf-8",
		"/app.css":              "text/css; charset=utf-8",
		"/icon.svg":             "image/svg+xml; charset=utf-8",
		"/manifest.webmanifest": "application/manifest+json; charset=utf-8",
	} {
		resp, _ := ask(t, "GET", s.url+path)
		if got := resp.Header.Get("Content-Type"); resp.StatusCode != 200 || got != want {
			t.Errorf("GET %s = %d %q, want 200 %q", path, resp.StatusCode, got, want)
		}
	}
}

func TestEveryFileThePageNamesIsServed(t *testing.T) {
	s := serve(t, Options{})
	_, body := ask(t, "GET", s.url+"/")
	found := 0
	for _, attr := range []string{`src="`, `href="`} {
		for rest := body; ; {
			_, after, ok := strings.Cut(rest, attr)
			if !ok {
				break
			}
			name, tail, _ := strings.Cut(after, `"`)
			rest = tail
			if strings.Contains(name, ":") || strings.HasPrefix(name, "#") || strings.HasPrefix(name, "/") {
				continue
			}
			found++
			if resp, _ := ask(t, "GET", s.url+"/"+name); resp.StatusCode != 200 {
				t.Errorf("GET /%s = %d, want 200: the page loads it", name, resp.StatusCode)
			}
		}
	}
	if found < 3 {
		t.Errorf("the page names %d files, want its style, script and icon at least", found)
	}
}

func TestPageToolsAreNotServed(t *testing.T) {
	s := serve(t, Options{})
	for _, path := range []string{"/mqtt_test.js", "/package.json", "/jsconfig.json", "/biome.json", "/web/app.js", "/doc.go", "/nothing", "/cam/", "/cam/porch"} {
		resp, body := ask(t, "GET", s.url+path)
		if resp.StatusCode != http.StatusNotFound || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain") {
			t.Errorf("GET %s = %d %q %.40q, want 404 in plain text", path, resp.StatusCode, resp.Header.Get("Content-Type"), body)
		}
	}
}

func TestPageIsNotSentTwice(t *testing.T) {
	s := serve(t, Options{})
	resp, body := ask(t, "GET", s.url+"/app.js")
	tag := resp.Header.Get("ETag")
	if tag == "" || resp.Header.Get("Cache-Control") != "no-cache" {
		t.Fatalf("ETag %q, Cache-Control %q: want a tag and no-cache", tag, resp.Header.Get("Cache-Control"))
	}
	resp, again := ask(t, "GET", s.url+"/app.js", "If-None-Match", tag)
	if resp.StatusCode != http.StatusNotModified || again != "" {
		t.Errorf("with its tag: %d and %d bytes, want 304 and none", resp.StatusCode, len(again))
	}
	resp, again = ask(t, "GET", s.url+"/app.js", "If-None-Match", `"other"`)
	if resp.StatusCode != 200 || again != body {
		t.Errorf("with another tag: %d and %d bytes, want 200 and %d", resp.StatusCode, len(again), len(body))
	}
}

func TestLoadPageRefusesWhatCannotWork(t *testing.T) {
	for name, files := range map[string]fstest.MapFS{
		"no index":           {"web/app.js": {}},
		"broken template":    {"web/index.html": {Data: []byte("{{.Base")}},
		"unknown variable":   {"web/index.html": {Data: []byte("{{.Bass}}")}},
		"index of the tests": {"web/index_test.html": {}},
	} {
		if _, err := loadPage(files, "cam"); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
