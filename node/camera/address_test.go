package camera

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// A password is written as it is. Where that cannot be told, the error says how, and
// following it works.
func TestAddressPasswords(t *testing.T) {
	pic := drawn(t, 1)
	got := ""
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
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
			take(t, open(t, "http://admin:"+password+at+path, Options{}), Mode{FPS: 100}, 1)
			if got != password {
				t.Errorf("%s: the camera got %q", path, got)
			}
			got = ""
		}
	}
	for _, c := range "/@#?%" {
		password := "a" + string(c) + "b"
		want := strings.ReplaceAll(url.QueryEscape(string(c)), "+", "%20")
		if !strings.Contains(passwordForms, want+" "+"stands for "+string(c)) && !strings.Contains(passwordForms, want+" for "+string(c)) {
			t.Errorf("%q does not say how %c is written", passwordForms, c)
		}
		take(t, open(t, "http://admin:"+strings.Replace(password, string(c), want, 1)+at+"/s.jpg", Options{}), Mode{FPS: 100}, 1)
		if got != password {
			t.Errorf("the camera got %q, want %q", got, password)
		}
	}
	if _, err := Open("http://admin:a/b@host/s.jpg", Options{}); err == nil || !strings.Contains(err.Error(), "%2F stands for /") {
		t.Errorf("a slash in a password: %v", err)
	}
}

func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{"http://a:b#c@h/x", "rtsp://a:%@h", "http://h/x#y=1", "://@/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		u, err := parseAddress(s)
		if err != nil {
			return
		}
		if plain, err := url.Parse(s); err == nil && plain.User != nil && plain.String() != u.String() {
			t.Errorf("%q is %q", s, u)
		}
	})
}

// oldCamera speaks TLS as cameras of its time do.
func oldCamera(t *testing.T, most uint16, suites []uint16) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	pic := drawn(t, 1)
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "image/jpeg")
		_, _ = w.Write(pic)
	}))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS10, MaxVersion: most, CipherSuites: suites}
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return srv.URL + "/snap"
}

// What each error advises is done, until there is a picture.
func TestHTTPSOldTLS(t *testing.T) {
	for name, tt := range map[string]struct {
		most   uint16
		suites []uint16
	}{
		"TLS 1.0":      {tls.VersionTLS10, nil},
		"TLS 1.1":      {tls.VersionTLS11, nil},
		"RSA with GCM": {tls.VersionTLS12, []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256}},
		"RSA with CBC": {tls.VersionTLS12, []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA, tls.TLS_RSA_WITH_AES_256_CBC_SHA}},
		"3DES":         {tls.VersionTLS11, []uint16{tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA}},
	} {
		t.Run(name, func(t *testing.T) {
			addr := oldCamera(t, tt.most, tt.suites)
			e, _ := fails(t, open(t, addr, Options{}), Mode{})
			old := regexp.MustCompile(`write #(tls=legacy) behind the https:// address`).FindStringSubmatch(e.Text)
			if e.Code != Config || old == nil {
				t.Fatalf("%s: %q, want the option to write", e.Code, e.Text)
			}
			e, _ = fails(t, open(t, addr+"#"+old[1], Options{}), Mode{})
			pin := regexp.MustCompile(`sha256:[0-9a-f]{64}`).FindString(e.Text)
			if e.Code != Config || pin == "" {
				t.Fatalf("%s: %q, want the pin to write", e.Code, e.Text)
			}
			take(t, open(t, addr+"#pin="+pin, Options{}), Mode{FPS: 50}, 1)
		})
	}
}

func TestChallenges(t *testing.T) {
	for line, want := range map[string][]challenge{
		`Basic realm="a, b"`: {{"basic", `realm="a, b"`}},
		`Digest realm="r", nonce="n", qop="auth,auth-int", Basic realm="r"`: {{"digest", `realm="r", nonce="n", qop="auth,auth-int"`}, {"basic", `realm="r"`}},
		`Basic realm="r",Digest realm="r",nonce="n"`:                        {{"basic", `realm="r"`}, {"digest", `realm="r", nonce="n"`}},
		`Negotiate, NTLM, BASIC realm="q\"x, y"`:                            {{"negotiate", ""}, {"ntlm", ""}, {"basic", `realm="q\"x, y"`}},
		`Digest realm="r", nonce = "n"`:                                     {{"digest", `realm="r", nonce = "n"`}},
		`Bearer`:                                                            {{"bearer", ""}},
		``:                                                                  nil,
		`realm="x"`:                                                         nil,
		`Digest realm="r", nonce="n", algorithm=SHA-256, Digest realm="r", nonce="n", algorithm=MD5`: {{"digest", `realm="r", nonce="n", algorithm=SHA-256`}, {"digest", `realm="r", nonce="n", algorithm=MD5`}},
	} {
		if got := challenges(http.Header{"Www-Authenticate": {line}}); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}
