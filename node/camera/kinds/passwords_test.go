package kinds

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"camqtt/internal/testkit/cameratest"
	"camqtt/node/camera"
	"camqtt/node/camera/sourceurl"
)

// A password is written as it is. Where that cannot be told, the error says how, and
// following it works.
func TestAddressPasswords(t *testing.T) {
	pic := cameratest.Drawn(t, 1)
	got := ""
	srv := cameratest.Serve(t, func(w http.ResponseWriter, r *http.Request) {
		var ok bool
		if _, got, ok = r.BasicAuth(); !ok {
			w.Header().Set("WWW-Authenticate", "Basic realm=x")
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "image/jpeg")
		_, _ = w.Write(pic)
	})
	at := "@" + strings.TrimPrefix(srv.URL, "http://")
	for _, password := range []string{"a^b", "a#b", "12#b", "a b", "50%off", "a@b", "a?b", "a\"b", "a|b", "a{b}", "a:b", "ä", "a%b#c@d"} {
		for _, path := range []string{"/s.jpg", "/s.jpg?x=1", "/s.jpg#discard=0", "/", ""} {
			cameratest.Take(t, open(t, "http://admin:"+password+at+path, camera.Options{}), camera.Mode{FPS: 100}, 1)
			if got != password {
				t.Errorf("%s: the camera got %q", path, got)
			}
			got = ""
		}
	}
	for _, c := range "/@#?%" {
		password := "a" + string(c) + "b"
		want := strings.ReplaceAll(url.QueryEscape(string(c)), "+", "%20")
		if !strings.Contains(sourceurl.PasswordForms, want+" "+"stands for "+string(c)) && !strings.Contains(sourceurl.PasswordForms, want+" for "+string(c)) {
			t.Errorf("%q does not say how %c is written", sourceurl.PasswordForms, c)
		}
		cameratest.Take(t, open(t, "http://admin:"+strings.Replace(password, string(c), want, 1)+at+"/s.jpg", camera.Options{}), camera.Mode{FPS: 100}, 1)
		if got != password {
			t.Errorf("the camera got %q, want %q", got, password)
		}
	}
	if _, err := openSource("http://admin:a/b@host/s.jpg", camera.Options{}); err == nil || !strings.Contains(err.Error(), "%2F stands for /") {
		t.Errorf("a slash in a password: %v", err)
	}
}
