package httpcam

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
	"regexp"
	"slices"
	"testing"
	"time"

	"camqtt/internal/testkit/cameratest"
	"camqtt/node/camera"
)

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
	pic := cameratest.Drawn(t, 1)
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
			e, _ := cameratest.Fails(t, open(t, addr, camera.Options{}), camera.Mode{})
			old := regexp.MustCompile(`write #(tls=legacy) behind the https:// address`).FindStringSubmatch(e.Text)
			if e.Code != camera.Config || old == nil {
				t.Fatalf("%s: %q, want the option to write", e.Code, e.Text)
			}
			e, _ = cameratest.Fails(t, open(t, addr+"#"+old[1], camera.Options{}), camera.Mode{})
			pin := regexp.MustCompile(`sha256:[0-9a-f]{64}`).FindString(e.Text)
			if e.Code != camera.Config || pin == "" {
				t.Fatalf("%s: %q, want the pin to write", e.Code, e.Text)
			}
			cameratest.Take(t, open(t, addr+"#pin="+pin, camera.Options{}), camera.Mode{FPS: 50}, 1)
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
