package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"camqtt/internal/testkit"
)

// secured is a hub that runs with TLS on both ports.
type secured struct {
	*testkit.Program
	mqtts, https string // host:port
	args         []string
	pin          string
}

// startSecured runs a hub with the given keys beside its ports.
func startSecured(t testing.TB, keys ...string) *secured {
	t.Helper()
	local := func() string { return "127.0.0.1:" + strconv.Itoa(testkit.FreePort(t)) }
	s := &secured{mqtts: local(), https: local()}
	for _, kv := range append([]string{"broker.listen=", "broker.tls.listen=" + s.mqtts, "dashboard.listen=" + s.https}, keys...) {
		s.args = append(s.args, "-c", kv)
	}
	s.start(t)
	return s
}

func (s *secured) start(t testing.TB) {
	t.Helper()
	s.Program = serve(t, append([]string{"run"}, s.args...)...)
	testkit.Until(t, "the hub listens", func() bool {
		if s.Ended() {
			t.Fatalf("the hub ended by itself\n%s", s.Err())
		}
		return strings.Contains(s.Err(), "broker up")
	})
	if m := regexp.MustCompile(`pin=(sha256:[0-9a-f]{64})`).FindStringSubmatch(s.Err()); m != nil {
		s.pin = m[1]
	}
}

// port is the broker's, for clients that take it apart from the host.
func (s *secured) port(t testing.TB) string {
	t.Helper()
	_, port, err := net.SplitHostPort(s.mqtts)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// both are the URLs of the broker, over TCP and over WebSocket, for a user and host.
func (s *secured) both(who, host string) []string {
	_, mqtts, _ := net.SplitHostPort(s.mqtts)
	_, https, _ := net.SplitHostPort(s.https)
	return []string{"mqtts://" + who + host + ":" + mqtts, "wss://" + who + host + ":" + https + "/mqtt"}
}

// TestOwnKey starts a hub that has no certificate: it makes a key, says its pin, and
// everybody else's clients can use it; the next start has the same.
func TestOwnKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := startSecured(t, "broker.data="+dir, "dashboard.tls.shared=true", "cameras.porch.source=test:")
	key := append([]string{"key"}, s.args...)
	if got := strings.TrimSpace(must(t, key...)); got != s.pin || s.pin == "" {
		t.Fatalf("camqtt key says %q, the log %q", got, s.pin)
	}
	pemFile := filepath.Join(t.TempDir(), "hub.pem")
	if err := os.WriteFile(pemFile, []byte(must(t, append(key, "--pem")...)), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, url := range s.both("", "127.0.0.1") {
		must(t, "snap", "porch", "--broker", url, "--pin", s.pin, "-o", filepath.Join(dir, "a.jpg"))
		must(t, "ls", "--broker", url, "--ca-file", pemFile, "--wait", "200ms")
		node := serve(t, "node", "attic", "--source", "test:", "--broker", url, "--pin", s.pin)
		online(t, url, "attic", "--pin", s.pin)
		must(t, "snap", "attic", "--broker", url, "--pin", s.pin, "-o", filepath.Join(dir, "b.jpg"))
		interrupt(t, node)
	}
	for _, url := range s.both("", "127.0.0.1") { // the page of another machine, which joins browsers to this broker
		front := startHub(t, "mqtt.url="+url, "mqtt.pin="+s.pin)
		must(t, "snap", "porch", "--broker", strings.Replace(front.http, "http", "ws", 1)+"/mqtt", "-o", filepath.Join(dir, "c.jpg"))
		interrupt(t, front.p)
	}
	must(t, append([]string{"ls", "--wait", "200ms"}, s.args...)...) // finds broker and pin in the configuration
	testkit.Until(t, "ls finds broker and pin in the environment", func() bool {
		out, stderr, status := testkit.Run(t, "env", "CAMQTT_BROKER=mqtts://"+s.mqtts, "CAMQTT_MQTT_PIN="+s.pin, binary, "ls", "--json")
		if status != 0 {
			t.Fatalf("broker and pin from the environment: exit %d\n%s%s", status, out, stderr)
		}
		return strings.Contains(string(out), "porch")
	})
	raw, err := hex.DecodeString(strings.TrimPrefix(s.pin, "sha256:"))
	if err != nil {
		t.Fatal(err)
	}
	for name, argv := range map[string][]string{
		"mosquitto by address":      {"mosquitto_sub", "--cafile", pemFile, "-h", "127.0.0.1", "-p", s.port(t), "-t", "cam/porch/status", "-C", "1", "-W", "20"},
		"mosquitto by name":         {"mosquitto_sub", "--cafile", pemFile, "-h", "localhost", "-p", s.port(t), "-t", "cam/porch/status", "-C", "1", "-W", "20"},
		"mosquitto asking for ALPN": {"mosquitto_sub", "--cafile", pemFile, "--tls-alpn", "mqtt", "-h", "localhost", "-p", s.port(t), "-t", "cam/porch/status", "-C", "1", "-W", "20"},
		"curl with the certificate": {"curl", "-sS", "--cacert", pemFile, "https://" + s.https + "/healthz"},
		"curl with the pin":         {"curl", "-sSk", "--pinnedpubkey", "sha256//" + base64.StdEncoding.EncodeToString(raw), "https://" + s.https + "/healthz"},
		"openssl, TLS 1.2":          {"sh", "-c", "openssl s_client -connect " + s.mqtts + " -tls1_2 -CAfile " + pemFile + " -verify_return_error </dev/null"},
		"openssl, TLS 1.3":          {"sh", "-c", "openssl s_client -connect " + s.mqtts + " -tls1_3 -CAfile " + pemFile + " -verify_return_error </dev/null"},
		"openssl, page":             {"sh", "-c", "openssl s_client -connect " + s.https + " -alpn http/1.1 -CAfile " + pemFile + " -verify_return_error </dev/null"},
	} {
		testkit.Tool(t, argv[0])
		if out, stderr, status := testkit.Run(t, argv[0], argv[1:]...); status != 0 || len(out) == 0 {
			t.Errorf("%s: exit %d, %q\n%s", name, status, out, stderr)
		}
	}
	if c, err := shake(s.https, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}}); err != nil || c.NegotiatedProtocol != "http/1.1" {
		t.Errorf("the page's port speaks %q, %v; want http/1.1", c.NegotiatedProtocol, err)
	}
	before := s.pin
	interrupt(t, s.Program)
	s.start(t)
	if s.pin != before {
		t.Errorf("pin %s after a restart, %s before", s.pin, before)
	}
}

// TestPageOverTLS shows the page over https with the broker's own key, its WebSocket
// encrypted as well.
func TestPageOverTLS(t *testing.T) {
	t.Parallel()
	s := startSecured(t, "broker.data="+t.TempDir(), "dashboard.tls.shared=true", "cameras.porch.source=test:")
	b := testkit.OpenBrowser(t, "https://"+s.https+"/", 0, 0)
	b.Wait(`document.documentElement.dataset.broker === 'up'`)
	b.Wait(frames + ` > 3`)
}

// TestTLSRefusals has clients meet brokers that they must not trust, over TCP and
// over WebSocket, twice each.
func TestTLSRefusals(t *testing.T) {
	t.Parallel()
	ca, other := testkit.NewAuthority(t), testkit.NewAuthority(t)
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	hub := func(name string, edit func(*x509.Certificate)) *secured {
		crt, key := ca.Issue(name, edit)
		return startSecured(t, "broker.data=", "broker.tls.cert="+crt, "broker.tls.key="+key, "dashboard.tls.shared=true")
	}
	good := hub("localhost", nil)
	expired := hub("localhost", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	elsewhere := hub("elsewhere.example", nil)
	wrong := "sha256:" + strings.Repeat("0", 64)
	for _, c := range []struct {
		name   string
		hub    *secured
		flags  []string
		status int
		want   string // on standard error
	}{
		{"trusted", good, []string{"--ca-file", ca.File}, 0, ""},
		{"pinned", good, []string{"--pin", good.pin}, 0, ""},
		{"expired but pinned", expired, []string{"--pin", expired.pin}, 0, ""},
		{"expired", expired, []string{"--ca-file", ca.File}, 1, "expired"},
		{"wrong host", elsewhere, []string{"--ca-file", ca.File}, 1, "elsewhere.example"},
		{"wrong pin", good, []string{"--pin", wrong}, 1, "the broker's key is " + good.pin + ", want " + wrong},
		{"another authority", good, []string{"--ca-file", other.File}, 1, "its key is " + good.pin},
		{"the system's authorities", good, nil, 1, "--pin " + good.pin},
		{"empty authority", good, []string{"--ca-file", file("empty.pem", "")}, 2, "no certificate in it"},
		{"invalid authority", good, []string{"--ca-file", file("text.pem", "hello")}, 2, "no certificate in it"},
		{"missing authority", good, []string{"--ca-file", filepath.Join(dir, "missing")}, 2, "no such file"},
		{"pin that is none", good, []string{"--pin", "sha256:12"}, 2, "64 hexadecimal digits"},
	} {
		for _, url := range c.hub.both("", "localhost") {
			for range 2 {
				out, stderr, status := camqtt(t, append([]string{"ls", "--broker", url, "--wait", "100ms"}, c.flags...)...)
				if status != c.status || !strings.Contains(stderr, c.want) || status != 0 && len(out) > 0 {
					t.Errorf("%s, %s: exit %d, %s%s\nwant exit %d and %q", c.name, url, status, out, stderr, c.status, c.want)
				}
			}
		}
	}
	for _, addr := range []string{good.mqtts, good.https} {
		for range 2 {
			// The server refuses, not a client that does not even try. RFC 8446, 6.2.
			_, err := shake(addr, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
			if alert, ok := errors.AsType[*net.OpError](err); !ok || alert.Op != "remote error" {
				t.Errorf("%s with TLS 1.1: %v, want an alert of the server", addr, err)
			}
		}
	}
	pub := func(s *secured) (string, int) {
		_, stderr, status := testkit.Run(t, testkit.Tool(t, "mosquitto_pub"), "--cafile", ca.File, "-h", "localhost", "-p", s.port(t), "-t", "x", "-m", "x")
		return stderr, status
	}
	if stderr, status := pub(good); status != 0 {
		t.Errorf("mosquitto: exit %d, %s", status, stderr)
	}
	if stderr, status := pub(expired); status == 0 {
		t.Errorf("mosquitto takes a certificate that has expired: %s", stderr)
	}
}

// shake opens a connection with TLS and says what was agreed on.
func shake(addr string, c *tls.Config) (tls.ConnectionState, error) {
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: testkit.Patience}, "tcp", addr, c)
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer conn.Close()
	return conn.ConnectionState(), nil
}

// TestClientCertificates asks clients for certificates on both ports: those that
// bring none, a stranger's, or another camera's are turned away, again and again.
func TestClientCertificates(t *testing.T) {
	t.Parallel()
	ca, other := testkit.NewAuthority(t), testkit.NewAuthority(t)
	crt, key := ca.Issue("localhost", nil)
	s := startSecured(t, "broker.data=", "broker.tls.cert="+crt, "broker.tls.key="+key, "broker.tls.client_ca="+ca.File,
		"dashboard.tls.shared=true", "dashboard.tls.client_ca="+ca.File)
	front, frontKey := ca.Issue("front", nil)
	stranger, strangerKey := other.Issue("front", nil)
	old, oldKey := ca.Issue("front", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	for _, c := range []struct {
		name, user, crt, key string
		ok                   bool
	}{
		{"its own", "front", front, frontKey, true},
		{"its own, no user", "", front, frontKey, true},
		{"none", "front", "", "", false},
		{"a stranger's", "front", stranger, strangerKey, false},
		{"expired", "front", old, oldKey, false},
		{"another camera's", "back", front, frontKey, false},
	} {
		who, mosquitto := "", []string{"--cafile", ca.File, "-h", "localhost", "-p", s.port(t), "-t", "x", "-m", "x"}
		if c.user != "" {
			who = c.user + "@"
			mosquitto = append(mosquitto, "-u", c.user)
		}
		flags := []string{"--ca-file", ca.File, "--wait", "100ms"}
		if c.crt != "" {
			flags = append(flags, "--cert-file", c.crt, "--key-file", c.key)
			mosquitto = append(mosquitto, "--cert", c.crt, "--key", c.key)
		}
		for range 2 {
			for _, url := range s.both(who, "localhost") {
				if _, stderr, status := camqtt(t, append([]string{"ls", "--broker", url}, flags...)...); (status == 0) != c.ok {
					t.Errorf("%s, %s: exit %d\n%s", c.name, url, status, stderr)
				}
			}
			if _, stderr, status := testkit.Run(t, testkit.Tool(t, "mosquitto_pub"), mosquitto...); (status == 0) != c.ok {
				t.Errorf("%s, mosquitto_pub: exit %d\n%s", c.name, status, stderr)
			}
		}
	}
	for range 2 {
		if out, _, status := testkit.Run(t, testkit.Tool(t, "curl"), "-sSk", "https://"+s.https+"/healthz"); status == 0 {
			t.Errorf("the page answered %q to who has no certificate", out)
		}
	}
	if out, stderr, status := testkit.Run(t, "curl", "-sS", "--cacert", ca.File, "--cert", front, "--key", frontKey, "https://localhost:"+s.https[strings.LastIndex(s.https, ":")+1:]+"/healthz"); status != 0 {
		t.Errorf("the page to who has a certificate: exit %d, %q %s", status, out, stderr)
	}
}

// TestOthersTLS runs a camera at mosquitto with TLS and client certificates.
func TestOthersTLS(t *testing.T) {
	t.Parallel()
	ca := testkit.NewAuthority(t)
	crt, key := ca.Issue("localhost", nil)
	port := testkit.FreePort(t)
	testkit.StartMosquitto(t, "user root", "listener "+strconv.Itoa(port)+" 127.0.0.1", "cafile "+ca.File, "certfile "+crt, "keyfile "+key, "require_certificate true")
	front, frontKey := ca.Issue("front", nil)
	mine := []string{"-c", "mqtt.url=mqtts://localhost:" + strconv.Itoa(port), "-c", "mqtt.cert=" + front, "-c", "mqtt.key=" + frontKey}
	serve(t, append([]string{"run", "-c", "cameras.front.source=test:", "-c", "mqtt.ca_file=" + ca.File}, mine...)...)
	url := "mqtts://localhost:" + strconv.Itoa(port)
	flags := []string{"--broker", url, "--ca-file", ca.File, "--cert-file", front, "--key-file", frontKey}
	testkit.Until(t, "the camera answers", func() bool {
		_, _, status := camqtt(t, append([]string{"snap", "front", "-o", filepath.Join(t.TempDir(), "p.jpg")}, flags...)...)
		return status == 0
	})
	if _, stderr, status := camqtt(t, "ls", "--broker", url, "--ca-file", ca.File); status != 1 {
		t.Errorf("without a certificate: exit %d\n%s", status, stderr)
	}
	p := serve(t, append([]string{"run", "-c", "cameras.back.source=test:", "-c", "mqtt.pin=sha256:" + strings.Repeat("0", 64)}, mine...)...)
	testkit.Until(t, "a camera with the wrong pin says so", func() bool { return strings.Contains(p.Err(), "somebody else answers in its place") })
}
