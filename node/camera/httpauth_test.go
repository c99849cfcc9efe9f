package camera

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
)

func TestHTTPBasic(t *testing.T) {
	pic := drawn(t, 1)
	var unasked atomic.Int32
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
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
	take(t, open(t, "http://admin:p%40ss%20word@"+at+"/", Options{}), Mode{FPS: 50}, 4)
	if n := unasked.Load(); n != 1 {
		t.Errorf("%d requests of 5 without password, want only the first", n)
	}
	e, _ := fails(t, open(t, "http://admin:wrongword@"+at+"/", Options{}), Mode{})
	if e.Code != Config || !strings.Contains(e.Text, "401 Unauthorized and says: who are you?: it refuses this user and password") || strings.Contains(e.Text, "wrongword") {
		t.Errorf("%s: %q", e.Code, e.Text)
	}
}

// Where Digest is offered beside Basic, the password itself is never sent; the
// challenge is used again until the camera wants a new one.
func TestHTTPDigest(t *testing.T) {
	pic := drawn(t, 1)
	var asked, nonce atomic.Int32
	var last atomic.Value
	last.Store("")
	field := regexp.MustCompile(`(\w+)="?([^",]*)"?`)
	sum := func(s string) string {
		h := md5.Sum([]byte(s))
		return hex.EncodeToString(h[:])
	}
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
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
	take(t, open(t, "http://admin:geheim@"+at+"/snap.cgi?channel=1", Options{}), Mode{FPS: 50}, 5)
	if n := asked.Load(); n != 2 {
		t.Errorf("the camera asked %d times for 5 pictures, want 2", n)
	}
	if e, _ := fails(t, open(t, "http://admin:wrong@"+at+"/snap.cgi?channel=1", Options{}), Mode{}); e.Code != Config || !strings.Contains(e.Text, "refuses this user") {
		t.Errorf("wrong password: %s: %q", e.Code, e.Text)
	}
}

// Redirects are followed on the same host, and nowhere else.
func TestHTTPRedirects(t *testing.T) {
	pic := drawn(t, 1)
	var srv *httptest.Server
	srv = serve(t, func(w http.ResponseWriter, r *http.Request) {
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
	take(t, open(t, srv.URL+"/", Options{}), Mode{FPS: 50}, 2)
	for _, path := range []string{"/other", "/loop"} {
		if e, _ := fails(t, open(t, srv.URL+path, Options{}), Mode{}); e.Code != Config || !strings.Contains(e.Text, "which is not followed") {
			t.Errorf("%s: %s: %q", path, e.Code, e.Text)
		}
	}
}
