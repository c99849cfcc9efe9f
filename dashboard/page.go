package dashboard

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"

	"camqtt/internal/wire"
)

// Only what browsers load: the page's tests and the settings of its tools stand in
// the same folder.
//
//go:embed web/*.html web/*.css web/*.js web/*.svg web/*.webmanifest
var webFiles embed.FS

const (
	indexFile = "index.html"
	loginFile = "login.html"
)

// pageDir is the folder of the page in webFiles.
const pageDir = "web"

// file is one part of the page, ready to be sent.
type file struct {
	body []byte
	mime string
	etag string
}

// page has its files by name.
type page map[string]file

// publicFiles are the files that the login page needs.
func publicFiles() []string {
	return []string{loginFile, "login.js", "safety.js", "app.css", "icon.svg", "manifest.webmanifest"}
}

// loadPage reads the page's files; index.html is told the base of all topics.
func loadPage(files fs.FS, base wire.Base) (page, error) {
	all := page{}
	names, err := fs.Glob(files, pageDir+"/*")
	if err != nil {
		return nil, fmt.Errorf("list the page's files: %w", err)
	}
	for _, full := range names {
		name := path.Base(full)
		kind, ok := mimeOf(name)
		if !ok {
			continue
		}
		body, err := fs.ReadFile(files, full)
		if err != nil {
			return nil, fmt.Errorf("read %s of the page: %w", name, err)
		}
		if name == indexFile {
			if body, err = render(body, base); err != nil {
				return nil, err
			}
		}
		sum := sha256.Sum256(body)
		all[name] = file{body: body, mime: kind, etag: `"` + hex.EncodeToString(sum[:12]) + `"`}
	}
	for _, name := range []string{indexFile, loginFile} {
		if _, ok := all[name]; !ok {
			return nil, fmt.Errorf("the page has no %s", name)
		}
	}
	return all, nil
}

func render(text []byte, base wire.Base) ([]byte, error) {
	t, err := template.New(indexFile).Parse(string(text))
	if err != nil {
		return nil, fmt.Errorf("read %s of the page: %w", indexFile, err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, struct{ Base wire.Base }{base}); err != nil {
		return nil, fmt.Errorf("fill in %s of the page: %w", indexFile, err)
	}
	return b.Bytes(), nil
}

// mimeOf returns the type a file is served with; false for files that are no part
// of the page. It asks no table of the system, which differs between systems.
func mimeOf(name string) (string, bool) {
	if strings.Contains(name, "_test.") || strings.Contains(name, ".test.") {
		return "", false
	}
	kind, ok := map[string]string{
		".html":        "text/html",
		".css":         "text/css",
		".js":          "text/javascript",
		".svg":         "image/svg+xml",
		".webmanifest": "application/manifest+json",
	}[path.Ext(name)]
	if !ok {
		return "", false
	}
	return mime.FormatMediaType(kind, map[string]string{"charset": "utf-8"}), true
}

// serve answers with the file, or that the browser has it already.
func (f file) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", f.mime)
	h.Set("ETag", f.etag)
	h.Set("Cache-Control", "no-cache") // ask each time: a new program brings a new page
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.body))
}
