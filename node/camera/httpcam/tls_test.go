package httpcam

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"camqtt/internal/cert"
	"camqtt/internal/testkit/cameratest"
	"camqtt/node/camera"
)

// tlsCamera is a camera with a certificate of its own making, valid from a time on.
func tlsCamera(t *testing.T, from time.Time) (addr string, own *x509.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: from, NotAfter: from.Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	if own, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	pic := cameratest.Drawn(t, 1)
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "image/jpeg")
		_, _ = w.Write(pic)
	}))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return srv.URL, own
}

// A camera that signs its own certificate is trusted by the pin that the refusal
// names, or by its certificate as an authority, and by nothing else.
func TestHTTPSPinned(t *testing.T) {
	addr, own := tlsCamera(t, time.Now().Add(-time.Minute))
	e, _ := cameratest.Fails(t, open(t, addr+"/snap", camera.Options{}), camera.Mode{})
	pin := regexp.MustCompile(`#(pin=sha256:[0-9a-f]{64}),`).FindStringSubmatch(e.Text)
	if e.Code != camera.Config || pin == nil {
		t.Fatalf("%s: %q, want config with the pin to write", e.Code, e.Text)
	}
	sum := sha256.Sum256(own.RawSubjectPublicKeyInfo)
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: own.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, option := range []string{
		pin[1],
		"pin=sha256:" + base64.StdEncoding.EncodeToString(sum[:]),
		"pin=sha256:" + base64.RawURLEncoding.EncodeToString(sum[:]),
		"pin=sha256%3A" + url.PathEscape(base64.StdEncoding.EncodeToString(sum[:])),
		"ca=" + file,
		"ca=" + file + "&" + pin[1] + "&discard=0",
	} {
		cameratest.Take(t, open(t, addr+"/snap#"+option, camera.Options{}), camera.Mode{FPS: 50}, 2)
	}
	other, otherCert := tlsCamera(t, time.Now().Add(-time.Minute))
	for option, want := range map[string]string{
		pin[1]:       "its key is " + cert.PinOf(otherCert).String() + ", not the one that pin= says",
		"ca=" + file: "its certificate is not trusted",
	} {
		e, got := cameratest.Fails(t, open(t, other+"/snap#"+option, camera.Options{}), camera.Mode{})
		if e.Code != camera.Config || !strings.Contains(e.Text, want) || len(got) > 0 {
			t.Errorf("%s: %s: %q, want %q", option, e.Code, e.Text, want)
		}
	}
}

// A pin does not ask for the date: cameras and small computers often have it wrong.
func TestHTTPSPinnedWithWrongClock(t *testing.T) {
	addr, own := tlsCamera(t, time.Now().Add(48*time.Hour))
	cameratest.Take(t, open(t, addr+"/snap#pin="+cert.PinOf(own).String(), camera.Options{}), camera.Mode{FPS: 50}, 1)
	if e, _ := cameratest.Fails(t, open(t, addr+"/snap", camera.Options{}), camera.Mode{}); e.Code != camera.Config || !strings.Contains(e.Text, "not trusted") {
		t.Errorf("%s: %q", e.Code, e.Text)
	}
}

// An answer whose head never ends is given up before it fills memory.
func TestHTTPHugeHead(t *testing.T) {
	url := raw(t, func(c net.Conn, _ string) {
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n")
		for i := 0; i < 1000; i++ {
			if _, err := io.WriteString(c, "X-More: "+strings.Repeat("x", 1000)+"\r\n"); err != nil {
				return
			}
		}
	})
	e, _ := cameratest.Fails(t, open(t, url+"/snap", camera.Options{}), camera.Mode{})
	if e.Code != camera.NoCamera || !strings.Contains(e.Text, "exceeded") || len(e.Text) > 800 {
		t.Errorf("%s: %q", e.Code, e.Text)
	}
}

// The options are ours: the camera never sees them, nor the password in a redirect
// to another host.
func TestHTTPKeepsSecrets(t *testing.T) {
	var elsewhere []string
	other := cameratest.Serve(t, func(_ http.ResponseWriter, r *http.Request) { elsewhere = append(elsewhere, r.URL.String()) })
	var asked []string
	pic := cameratest.Drawn(t, 1)
	srv := cameratest.Serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.RequestURI)
		if _, _, ok := r.BasicAuth(); !ok {
			w.Header().Set("WWW-Authenticate", `Basic realm="cam"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if r.URL.Path == "/away" {
			http.Redirect(w, r, strings.Replace(other.URL, "127.0.0.1", "localhost", 1), http.StatusFound)
			return
		}
		w.Header().Set("Content-Type", "image/jpeg")
		_, _ = w.Write(pic)
	})
	at := "http://admin:geheim@" + strings.TrimPrefix(srv.URL, "http://")
	cameratest.Take(t, open(t, at+"/snap?x=1#discard=0&kind=generic", camera.Options{}), camera.Mode{FPS: 50}, 1)
	for _, a := range asked {
		if a != "/snap?x=1" {
			t.Errorf("the camera was asked for %q", a)
		}
	}
	if e, _ := cameratest.Fails(t, open(t, at+"/away", camera.Options{}), camera.Mode{}); e.Code != camera.Config || len(elsewhere) > 0 {
		t.Errorf("%s: %q; another host was asked for %q", e.Code, e.Text, elsewhere)
	}
}
