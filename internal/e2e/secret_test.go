package e2e

import (
	"encoding/base64"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"camqtt/internal/testkit"
)

// Secrets that TestNothingTells plants, one for each place where there can be one.
const (
	secretURL      = "planted-url-9d1c"
	secretFile     = "planted-file-4b7e"
	secretKey      = "planted-key-31aa"
	secretCamera   = "planted-camera-77f0"
	secretQuery    = "planted-query-c2d8"
	secretArgument = "planted-argument-5e6b"
	secretVisitor  = "planted-visitor-e81f"
)

// tells returns which planted secrets are in a text, also in the forms in which
// programs write bytes.
func tells(text string) (all []string) {
	for _, s := range []string{secretURL, secretFile, secretKey, secretCamera, secretQuery, secretArgument, secretVisitor} {
		for _, form := range []string{s, hex.EncodeToString([]byte(s)), base64.RawStdEncoding.EncodeToString([]byte(s))} {
			if strings.Contains(text, form) {
				all = append(all, form)
			}
		}
	}
	return all
}

// TestNothingTells plants secrets wherever the program takes them and looks for them
// in everything that it says: its log at every level and in both forms, its
// configuration, errors, pages, metrics, and what cameras publish.
func TestNothingTells(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	passwords := filepath.Join(dir, "passwords")
	for i, user := range []string{"url", "file"} {
		flags := []string{"-b", passwords, user, map[string]string{"url": secretURL, "file": secretFile}[user]}
		if i == 0 {
			flags = append([]string{"-c"}, flags...)
		}
		if _, stderr, status := testkit.Run(t, testkit.Tool(t, "mosquitto_passwd"), flags...); status != 0 {
			t.Fatal(stderr)
		}
	}
	m := testkit.StartMosquitto(t, "password_file "+passwords, "allow_anonymous false", "user root")
	file := filepath.Join(dir, "password")
	if err := os.WriteFile(file, []byte(secretFile+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	jpg := testkit.JPEG(t, 64, 48, 1, 0)
	cam := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, p, _ := r.BasicAuth(); p != secretCamera {
			w.Header().Set("WWW-Authenticate", `Basic realm="camera"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "image/jpeg")
		_, _ = w.Write(jpg)
	}))
	defer cam.Close()
	at := strings.TrimPrefix(cam.URL, "http://")
	conf := filepath.Join(dir, "all.yaml")
	text := "mqtt: {url: 'mqtt://" + m.Addr + "', username: file, password_file: " + file + "}\n" +
		"cameras:\n" +
		"  - {id: good, source: 'http://u:" + secretCamera + "@" + at + "/a.jpg?token=" + secretQuery + "'}\n" +
		"  - {id: refused, source: 'http://u:" + secretQuery + "@" + at + "/a.jpg'}\n" +
		"  - {id: gone, source: 'http://u:" + secretCamera + "@127.0.0.1:1/?password=" + secretQuery + "'}\n" +
		"  - {id: dies, source: 'exec:false --password " + secretQuery + "'}\n" +
		"  - {id: keyed, source: 'http://127.0.0.1:1/" + secretQuery + "/live?sid=" + secretArgument + "'}\n" +
		"  - {id: says, source: 'exec:cat " + secretArgument + "'}\n" +
		"  - {id: missing, source: 'exec:no-such-program --token=" + secretQuery + "'}\n" +
		"dashboard: {listen: '127.0.0.1:0'}\n"
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	said := map[string]string{}
	note := func(what, text string) {
		t.Helper()
		if text == "" {
			t.Errorf("%s: nothing was said", what)
		}
		said[what] = text
	}
	out, stderr, status := camqtt(t, "check", "-c", conf, "-c", "mqtt.url=mqtt://url:"+secretURL+"@"+m.Addr)
	if status != 0 {
		t.Fatal(stderr)
	}
	note("check", string(out))
	for _, bad := range []string{"mqtt.password=" + secretKey, "mqtt.url=mqtt://u:" + secretArgument + "@h:x", "mqtt.url=u:" + secretArgument + "@h", "cameras.x.source=rtsp://u:" + secretArgument + "@h", "mqtt.pasword=" + secretKey} {
		out, stderr, _ := camqtt(t, "check", "-c", conf, "-c", bad)
		note("check with "+bad[:12], string(out)+stderr)
	}

	// At warn and error the page's address is not said, and less is.
	for _, mode := range [][2]string{{"debug", "text"}, {"debug", "json"}, {"info", "text"}} {
		name := "run at " + mode[0] + " as " + mode[1]
		p := serve(t, "run", "-c", conf, "--log-level", mode[0], "--log-format", mode[1])
		page := pageOf(t, p)
		for _, path := range []string{"good", "refused", "gone", "dies", "keyed", "says", "missing"} {
			testkit.Until(t, "the page knows "+path, func() bool { return strings.Contains(get(t, page+"/api/cameras"), `"`+path+`"`) })
		}
		testkit.Until(t, "the camera with the right password gives a picture", func() bool {
			return strings.HasPrefix(get(t, page+"/cam/good/snapshot.jpg?timeout=3s"), "200 ")
		})
		for _, path := range []string{
			"/", "/metrics", "/healthz", "/readyz", "/api/cameras", "/nothing?token=" + secretQuery,
			"/cam/good/snapshot.jpg?timeout=3s", "/cam/refused/snapshot.jpg", "/cam/gone/snapshot.jpg", "/cam/dies/snapshot.jpg", "/cam/keyed/snapshot.jpg", "/cam/says/snapshot.jpg", "/cam/missing/snapshot.jpg", "/cam/nobody/snapshot.jpg?password=" + secretQuery,
		} {
			note(name+" "+path[:min(len(path), 18)], get(t, page+path))
		}
		out, stderr, _ := camqtt(t, "ls", "--broker", "mqtt://"+m.Addr, "-c", conf, "--json")
		note("ls", string(out)+stderr)
		interrupt(t, p)
		note(name, p.Out()+p.Err())
	}
	p := place{addr: m.Addr, user: "file", password: secretFile}
	published := ""
	for topic, payload := range p.kept(t, "#") {
		published += topic + " " + payload + "\n"
	}
	note("retained", published)

	_, stderr, _ = camqtt(t, "ls", "--broker", "mqtt://url:"+secretArgument+"@"+m.Addr, "--log-level", "debug")
	note("wrong password", stderr)
	if !strings.Contains(stderr, "can be read by everybody on this machine") || !strings.Contains(stderr, "--password-file") {
		t.Errorf("a password among the arguments is not warned of:\n%s", stderr)
	}
	env := testkit.Start(t, "env", "CAMQTT_BROKER=mqtt://url:"+secretURL+"@"+m.Addr, binary, "ls", "--wait", "100ms")
	if env.Wait() != 0 || strings.Contains(env.Err(), "can be read") {
		t.Errorf("a password in the environment: %s", env.Err())
	}
	note("CAMQTT_BROKER", env.Out()+" ")
	if len(tells("a "+secretURL)) != 1 || len(tells(hex.EncodeToString([]byte(secretFile)))) != 1 {
		t.Error("this test would not find what it looks for")
	}
	for what, text := range said {
		for _, s := range tells(text) {
			t.Errorf("%s tells %s:\n%.2000s", what, s, text)
		}
	}
}

// pageOf waits until a program has said where its page is.
func pageOf(t *testing.T, p *testkit.Program) string {
	t.Helper()
	url := ""
	testkit.Until(t, "the page's address is logged", func() bool {
		_, rest, ok := strings.Cut(p.Err(), "dashboard listens")
		i := strings.Index(rest, "http://")
		if !ok || i < 0 {
			return false
		}
		end := strings.IndexAny(rest[i:], "\"\n ")
		if end > 0 {
			url = rest[i : i+end]
		}
		return end > 0
	})
	testkit.Until(t, "the page is ready", func() bool {
		r, err := http.Get(url + "/readyz")
		if err == nil {
			r.Body.Close()
		}
		return err == nil && r.StatusCode == http.StatusOK
	})
	return url
}

// get returns head and body of an answer, whatever its status.
func get(t *testing.T, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("visitor", secretVisitor)
	r, err := (&http.Client{Timeout: testkit.Patience}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	var head strings.Builder
	_ = r.Header.Write(&head)
	return r.Status + "\n" + head.String() + string(b)
}

// TestSecretsOfOthers refuses secrets that others may read, wherever a file is named.
func TestSecretsOfOthers(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(path, []byte(secretFile), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"run":   {"run", "-c", "mqtt.url=mqtt://127.0.0.1:1", "-c", "mqtt.username=u", "-c", "mqtt.password_file=" + path, "-c", "cameras.a.source=test:"},
		"check": {"check", "-c", "mqtt.url=mqtt://127.0.0.1:1", "-c", "mqtt.username=u", "-c", "mqtt.password_file=" + path, "-c", "cameras.a.source=test:"},
		"ls":    {"ls", "--broker", "mqtt://u@127.0.0.1:1", "--password-file", path},
		"node":  {"node", "a", "--source", "test:", "--broker", "mqtt://u@127.0.0.1:1", "--password-file", path},
	} {
		began := time.Now()
		if _, stderr, status := camqtt(t, args...); status != 2 || !strings.Contains(stderr, "chmod 600 "+path) || strings.Contains(stderr, secretFile) {
			t.Errorf("%s: exit %d after %s, want 2 and the cure\n%s", name, status, time.Since(began), stderr)
		}
	}
}
