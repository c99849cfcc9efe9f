package e2e

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"camqtt/internal/testkit"
)

// TestBadServerFiles starts hubs with files of no use: exit 2, and their names.
func TestBadServerFiles(t *testing.T) {
	t.Parallel()
	ca := testkit.NewAuthority(t)
	crt, key := ca.Issue("localhost", nil)
	_, otherKey := ca.Issue("localhost", nil)
	open := filepath.Join(t.TempDir(), "open.key")
	if err := os.WriteFile(open, read(t, key), 0o644); err != nil {
		t.Fatal(err)
	}
	damaged := t.TempDir()
	if err := os.MkdirAll(filepath.Join(damaged, "tls"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(damaged, "tls", "own.key"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		keys []string
		want []string
	}{
		"key of another":     {[]string{"broker.tls.cert=" + crt, "broker.tls.key=" + otherKey}, []string{crt, otherKey}},
		"key that is open":   {[]string{"broker.tls.cert=" + crt, "broker.tls.key=" + open}, []string{"chmod 600 " + open}},
		"empty client_ca":    {[]string{"broker.tls.cert=" + crt, "broker.tls.key=" + key, "broker.tls.client_ca=/dev/null"}, []string{"broker.tls.client_ca", "no certificate in it"}},
		"damaged own key":    {[]string{"broker.data=" + damaged}, []string{filepath.Join(damaged, "tls", "own.key"), "damaged", "from a copy", "no key is made"}},
		"nowhere for a key":  {[]string{"broker.data="}, []string{"broker.data"}},
		"authority for ACME": {[]string{"broker.tls.acme.domains=cams.example.org", "broker.tls.acme.ca_file=/dev/null"}, []string{"broker.tls.acme.ca_file"}},
	} {
		args := []string{"run", "-c", "broker.listen=", "-c", "broker.tls.listen=127.0.0.1:0"}
		for _, kv := range c.keys {
			args = append(args, "-c", kv)
		}
		_, stderr, status := camqtt(t, args...)
		for _, want := range c.want {
			if status != 2 || !strings.Contains(stderr, want) {
				t.Errorf("%s: exit %d, want 2 and %q\n%s", name, status, want, stderr)
			}
		}
	}
}

// TestChangedFiles replaces the certificate of a hub that runs.
func TestChangedFiles(t *testing.T) {
	t.Parallel()
	ca := testkit.NewAuthority(t)
	dir := t.TempDir()
	crt, key := filepath.Join(dir, "hub.crt"), filepath.Join(dir, "hub.key")
	put := func() (pin string) {
		t.Helper()
		newCrt, newKey := ca.Issue("localhost", nil)
		for to, from := range map[string]string{crt: newCrt, key: newKey} {
			if err := os.WriteFile(to+".new", read(t, from), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(to+".new", to); err != nil {
				t.Fatal(err)
			}
		}
		return strings.TrimSpace(must(t, "key", "-c", "broker.tls.listen=127.0.0.1:1", "-c", "broker.tls.cert="+crt, "-c", "broker.tls.key="+key))
	}
	first := put()
	s := startSecured(t, "broker.data=", "broker.tls.cert="+crt, "broker.tls.key="+key, "dashboard.tls.shared=true")
	if s.pin != first {
		t.Fatalf("pin %s, want %s", s.pin, first)
	}
	second := put()
	for _, url := range s.both("", "localhost") {
		testkit.Until(t, url+" shows the new certificate", func() bool {
			_, _, status := camqtt(t, "ls", "--broker", url, "--pin", second, "--wait", "50ms")
			return status == 0
		})
		if _, _, status := camqtt(t, "ls", "--broker", url, "--pin", first, "--wait", "50ms"); status == 0 {
			t.Errorf("%s still shows the old certificate", url)
		}
	}
}

// TestACME has a hub get its certificate from a real authority.
func TestACME(t *testing.T) {
	t.Parallel()
	port := testkit.FreePort(t)
	ca := testkit.StartPebble(t, port)
	s := startSecured(t, "broker.data="+t.TempDir(), "broker.tls.listen=127.0.0.1:"+strconv.Itoa(port), "dashboard.tls.shared=true",
		"broker.tls.acme.domains=cams.example.org", "broker.tls.acme.email=you@example.org",
		"broker.tls.acme.directory="+ca.Directory, "broker.tls.acme.ca_file="+ca.CAFile)
	testkit.Until(t, "the hub has its certificate", func() bool { return strings.Contains(s.Err(), "certificate from the authority is in use") })
	for _, addr := range []string{"127.0.0.1:" + strconv.Itoa(port), s.https} {
		c, err := shake(addr, &tls.Config{InsecureSkipVerify: true, ServerName: "cams.example.org"})
		if err != nil {
			t.Fatal(err)
		}
		if leaf := c.PeerCertificates[0]; leaf.VerifyHostname("cams.example.org") != nil || leaf.Issuer.String() == leaf.Subject.String() || len(c.PeerCertificates) < 2 {
			t.Errorf("%s shows a certificate for %v of %s", addr, leaf.DNSNames, leaf.Issuer)
		}
	}
	if _, stderr, status := camqtt(t, append([]string{"key"}, s.args...)...); status != 2 || !strings.Contains(stderr, "need no pin") {
		t.Errorf("camqtt key: exit %d, %s", status, stderr)
	}
}

// TestCertificateIsAnAccount has accounts whose holders show a certificate in place of
// a password.
func TestCertificateIsAnAccount(t *testing.T) {
	t.Parallel()
	ca, data := testkit.NewAuthority(t), t.TempDir()
	crt, key := ca.Issue("localhost", nil)
	must(t, "user", "add", "ann", "--role", "viewer", "-c", "broker.data="+data)
	s := startSecured(t, "broker.data="+data, "broker.anonymous=never", "broker.tls.cert="+crt, "broker.tls.key="+key, "broker.tls.client_ca="+ca.File,
		"dashboard.tls.shared=true", "dashboard.tls.client_ca="+ca.File)
	for name, ok := range map[string]bool{"ann": true, "bob": false} {
		own, ownKey := ca.Issue(name, nil)
		for _, url := range s.both("", "localhost") {
			_, stderr, status := camqtt(t, "ls", "--broker", url, "--ca-file", ca.File, "--wait", "100ms", "--cert-file", own, "--key-file", ownKey)
			if (status == 0) != ok {
				t.Errorf("%s, %s: exit %d\n%s", name, url, status, stderr)
			}
		}
	}
}
