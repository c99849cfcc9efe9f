package httpcam

import (
	"crypto/md5"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"camqtt/internal/testkit/cameratest"
	"camqtt/node/camera"
)

func TestHTTPBasic(t *testing.T) {
	pic := cameratest.Drawn(t, 1)
	var unasked atomic.Int32
	srv := cameratest.Serve(t, func(w http.ResponseWriter, r *http.Request) {
		user, password, ok := r.BasicAuth()
		if !ok {
			unasked.Add(1)
		}
		if user != "admin" || password != "p@ss word" {
			w.Header().Set("WWW-Authenticate", `Basic realm="cam"`)
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "image/jpeg")
		_, _ = w.Write(pic)
	})
	at := strings.TrimPrefix(srv.URL, "http://")
	cameratest.Take(t, open(t, "http://admin:p%40ss%20word@"+at+"/", camera.Options{}), camera.Mode{FPS: 50}, 4)
	if n := unasked.Load(); n != 1 {
		t.Errorf("%d requests of 5 without password, want only the first", n)
	}
	e, _ := cameratest.Fails(t, open(t, "http://admin:wrongword@"+at+"/", camera.Options{}), camera.Mode{})
	if e.Code != camera.Config || !strings.Contains(e.Text, "401 Unauthorized and says: who are you?: it refuses this user and password") || strings.Contains(e.Text, "wrongword") {
		t.Errorf("%s: %q", e.Code, e.Text)
	}
}

// Where Digest is offered beside Basic, the password itself is never sent; the
// challenge is used again until the camera wants a new one.
func TestHTTPDigest(t *testing.T) {
	pic := cameratest.Drawn(t, 1)
	var asked, nonce atomic.Int32
	var last atomic.Value
	last.Store("")
	field := regexp.MustCompile(`(\w+)="?([^",]*)"?`)
	sum := func(s string) string {
		h := md5.Sum([]byte(s))
		return hex.EncodeToString(h[:])
	}
	srv := cameratest.Serve(t, func(w http.ResponseWriter, r *http.Request) {
		auth := r.Header.Get("Authorization")
		if strings.HasPrefix(auth, "Basic") {
			t.Error("the password was sent")
		}
		f := map[string]string{}
		for _, m := range field.FindAllStringSubmatch(auth, -1) {
			f[m[1]] = m[2]
		}
		want := sum(sum("admin:cam:geheim") + ":" + f["nonce"] + ":" + f["nc"] + ":" + f["cnonce"] + ":auth:" + sum("GET:/snap.cgi?channel=1"))
		fresh := f["nonce"] == fmt.Sprint("n", nonce.Load()) && f["nc"] > last.Load().(string)
		if auth == "" || !fresh || f["response"] != want {
			asked.Add(1)
			last.Store("")
			w.Header().Add("WWW-Authenticate", `Basic realm="cam"`)
			w.Header().Add("WWW-Authenticate", fmt.Sprintf(`Digest realm="cam", nonce="n%d", qop="auth", algorithm=MD5, stale=%t`, nonce.Add(1), auth != "" && f["response"] == want))
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		last.Store(f["nc"])
		if f["nc"] == "00000003" {
			nonce.Add(1) // the next request finds its nonce stale
		}
		w.Header().Set("Content-Type", "image/jpeg")
		_, _ = w.Write(pic)
	})
	at := strings.TrimPrefix(srv.URL, "http://")
	cameratest.Take(t, open(t, "http://admin:geheim@"+at+"/snap.cgi?channel=1", camera.Options{}), camera.Mode{FPS: 50}, 5)
	if n := asked.Load(); n != 2 {
		t.Errorf("the camera asked %d times for 5 pictures, want 2", n)
	}
	if e, _ := cameratest.Fails(t, open(t, "http://admin:wrong@"+at+"/snap.cgi?channel=1", camera.Options{}), camera.Mode{}); e.Code != camera.Config || !strings.Contains(e.Text, "refuses this user") {
		t.Errorf("wrong password: %s: %q", e.Code, e.Text)
	}
}

// digester is a camera that offers challenges, in as many lines as it is given, and
// lets in who answers the Digest one with the password "geheim".
type digester struct {
	pic       []byte
	lines     []string
	algorithm string
	sum       func(string) string
	offered   atomic.Int32 // times it asked
	wrong     atomic.Int32 // times it was answered wrongly
	seen      sync.Map     // nonce counts
}

func (d *digester) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	auth := r.Header.Get("Authorization")
	f := map[string]string{}
	for _, m := range regexp.MustCompile(`(\w+)="?([^",]*)"?`).FindAllStringSubmatch(auth, -1) {
		f[m[1]] = m[2]
	}
	key := d.sum("admin:r:geheim")
	if strings.HasSuffix(strings.ToLower(d.algorithm), "-sess") {
		key = d.sum(key + ":n1:" + f["cnonce"])
	}
	want := d.sum(strings.Join([]string{key, "n1", f["nc"], f["cnonce"], "auth", d.sum("GET:" + r.URL.RequestURI())}, ":"))
	_, again := d.seen.LoadOrStore(f["nc"], true)
	if auth != "" && !again && f["response"] == want && f["algorithm"] == d.algorithm {
		w.Header().Set("Content-Type", "image/jpeg")
		_, _ = w.Write(d.pic)
		return
	}
	if auth != "" {
		d.wrong.Add(1)
	}
	d.offered.Add(1)
	for _, l := range d.lines {
		w.Header().Add("WWW-Authenticate", l)
	}
	w.WriteHeader(http.StatusUnauthorized)
}

// Every kind of Digest is answered, however the challenges are written; the nonce is
// used on, also when the camera was closed in between.
func TestHTTPDigestKinds(t *testing.T) {
	hexed := func(h func() hash.Hash) func(string) string {
		return func(s string) string {
			sum := h()
			sum.Write([]byte(s))
			return hex.EncodeToString(sum.Sum(nil))
		}
	}
	const d = `Digest realm="r", nonce="n1", qop="auth"`
	for name, tt := range map[string]struct {
		lines     []string
		algorithm string
		hash      func() hash.Hash
	}{
		"plain":               {[]string{d}, "", md5.New},
		"MD5-sess":            {[]string{d + ", algorithm=MD5-sess"}, "MD5-sess", md5.New},
		"small letters":       {[]string{d + `, algorithm="md5-SESS"`}, "md5-SESS", md5.New},
		"SHA-256":             {[]string{d + ", algorithm=SHA-256"}, "SHA-256", sha256.New},
		"SHA-256-sess":        {[]string{d + ", algorithm=SHA-256-sess"}, "SHA-256-sess", sha256.New},
		"SHA-512-256":         {[]string{d + ", algorithm=SHA-512-256"}, "SHA-512-256", sha512.New512_256},
		"the first":           {[]string{d + ", algorithm=SHA-256", d + ", algorithm=MD5"}, "SHA-256", sha256.New},
		"the first known":     {[]string{d + ", algorithm=X-9", d + ", algorithm=MD5"}, "MD5", md5.New},
		"two in a line":       {[]string{d + ", algorithm=SHA-256, " + d + ", algorithm=MD5"}, "SHA-256", sha256.New},
		"Basic behind":        {[]string{d + `, Basic realm="r"`}, "", md5.New},
		"Basic first":         {[]string{`Basic realm="r", ` + d}, "", md5.New},
		"Basic in its line":   {[]string{`Basic realm="r"`, d}, "", md5.New},
		"others as well":      {[]string{"Negotiate, NTLM, " + d}, "", md5.New},
		"several qop":         {[]string{`Digest qop="auth-int, auth", realm="r", nonce="n1"`}, "", md5.New},
		"blanks around the =": {[]string{`digest realm = "r" , nonce = "n1" , qop = "auth"`}, "", md5.New},
	} {
		t.Run(name, func(t *testing.T) {
			cam := &digester{pic: cameratest.Drawn(t, 1), lines: tt.lines, algorithm: tt.algorithm, sum: hexed(tt.hash)}
			srv := cameratest.Serve(t, cam.ServeHTTP)
			at := strings.TrimPrefix(srv.URL, "http://")
			s := open(t, "http://admin:geheim@"+at+"/snap.cgi?channel=1", camera.Options{})
			for range 3 {
				cameratest.Take(t, s, camera.Mode{FPS: 50}, 2)
			}
			if n := cam.offered.Load(); n != 1 {
				t.Errorf("the camera asked %d times for 6 pictures, want once", n)
			}
		})
	}
}

// A wrong password is tried once each time the camera is opened, and is never sent
// by Basic where Digest is offered, known here or not.
func TestHTTPDigestWrong(t *testing.T) {
	for name, lines := range map[string][]string{
		"known":   {`Basic realm="r"`, `Digest realm="r", nonce="n1", qop="auth"`},
		"unknown": {`Basic realm="r", Digest realm="r", nonce="n1", qop="auth", algorithm=X-9`},
	} {
		cam := &digester{lines: lines, sum: func(s string) string { return s }}
		srv := cameratest.Serve(t, func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.Header.Get("Authorization"), "Basic") {
				t.Errorf("%s: the password was sent", name)
			}
			cam.ServeHTTP(w, r)
		})
		s := open(t, "http://admin:wrong@"+strings.TrimPrefix(srv.URL, "http://")+"/snap.cgi", camera.Options{})
		for range 3 {
			e, _ := cameratest.Fails(t, s, camera.Mode{})
			if e.Code != camera.Config || !e.Denied || strings.Contains(e.Text, "wrong") || strings.Contains(e.Text, "no password was sent") != (name == "unknown") {
				t.Errorf("%s: %s: %q", name, e.Code, e.Text)
			}
		}
		if n := cam.wrong.Load(); n > 3 {
			t.Errorf("%s: 3 attempts were %d wrong answers", name, n)
		}
	}
}

// Redirects are followed on the same host, and nowhere else.
func TestHTTPRedirects(t *testing.T) {
	pic := cameratest.Drawn(t, 1)
	var srv *httptest.Server
	srv = cameratest.Serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/":
			http.Redirect(w, r, "/cam.jpg", http.StatusFound)
		case "/other":
			http.Redirect(w, r, strings.Replace(srv.URL, "127.0.0.1", "localhost", 1)+"/cam.jpg", http.StatusFound)
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		default:
			w.Header().Set("Content-Type", "image/jpeg")
			_, _ = w.Write(pic)
		}
	})
	cameratest.Take(t, open(t, srv.URL+"/", camera.Options{}), camera.Mode{FPS: 50}, 2)
	for _, path := range []string{"/other", "/loop"} {
		if e, _ := cameratest.Fails(t, open(t, srv.URL+path, camera.Options{}), camera.Mode{}); e.Code != camera.Config || !strings.Contains(e.Text, "which is not followed") {
			t.Errorf("%s: %s: %q", path, e.Code, e.Text)
		}
	}
}
