package cert_test

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"camqtt/internal/cert"
	"camqtt/internal/testkit"
)

// TestReload replaces a certificate while it is in use: by a good one, by nonsense,
// by one whose key is another's, and by a good one again.
func TestReload(t *testing.T) {
	ca := testkit.NewAuthority(t)
	link := filepath.Join(t.TempDir(), "current")
	crt, key := filepath.Join(link, "hub.crt"), filepath.Join(link, "hub.key")
	put := func(from ...string) { // both at one moment, however slow this machine is
		t.Helper()
		dir := t.TempDir()
		copyFile(t, from[0], filepath.Join(dir, "hub.crt"), 0o644)
		copyFile(t, from[1], filepath.Join(dir, "hub.key"), 0o600)
		if err := errors.Join(os.Symlink(dir, link+".new"), os.Rename(link+".new", link)); err != nil {
			t.Fatal(err)
		}
	}
	pair := func() []string { c, k := ca.Issue("localhost", nil); return []string{c, k} }
	first, second, third := pair(), pair(), pair()
	put(first...)
	log := &testkit.Output{}
	s := source(t, cert.Options{Cert: crt, Key: key, Log: slog.New(slog.NewTextHandler(log, nil))})
	testkit.Serve(t, s)
	addr := listen(t, s, cert.ServerOptions{})
	shows := func(pair []string) func() bool {
		text, err := os.ReadFile(pair[0])
		if err != nil {
			t.Fatal(err)
		}
		want, err := cert.PinOfPEM(text)
		if err != nil {
			t.Fatal(err)
		}
		return func() bool {
			state, err := talk(addr, "localhost", client(t, cert.ClientOptions{CAFile: ca.File}))
			if err != nil {
				t.Fatalf("the port does not answer: %v", err)
			}
			return cert.PinOf(state.PeerCertificates[0]) == want
		}
	}
	if !shows(first)() {
		t.Fatal("another certificate is shown")
	}
	put(second...)
	testkit.Until(t, "the new certificate is in force", shows(second))

	for i, harm := range []func(){
		func() { copyFile(t, third[1], key, 0o600) },         // key of another
		func() { os.WriteFile(crt, []byte("hello"), 0o644) }, // no certificate
		func() { os.Remove(key) },                            // no key
		func() { copyFile(t, third[1], key, 0o644) },         // a key that all may read
	} {
		harm()
		testkit.Until(t, "it is said that the file is of no use", func() bool { return strings.Count(log.String(), "cannot be used") > i })
		if !shows(second)() {
			t.Error("a bad file has replaced a good certificate")
		}
	}
	put(third...)
	testkit.Until(t, "the third certificate is in force", shows(third))
	if n := strings.Count(log.String(), "cannot be used"); n != 4 {
		t.Errorf("trouble was logged %d times, want once each", n)
	}
}

// TestReloadOfAuthorities takes a client's authority away: its next connection is
// refused, without a restart.
func TestReloadOfAuthorities(t *testing.T) {
	ca, other := testkit.NewAuthority(t), testkit.NewAuthority(t)
	file := filepath.Join(t.TempDir(), "clients.pem")
	copyFile(t, ca.File, file, 0o644)
	s := source(t, cert.Options{Data: t.TempDir()})
	pin, _ := s.Pin()
	addr := listen(t, s, cert.ServerOptions{ClientCA: file})
	testkit.Serve(t, s)
	crt, key := ca.Issue("front", nil)
	conf := client(t, cert.ClientOptions{Pins: []cert.Pin{pin}, Cert: crt, Key: key})
	if _, err := talk(addr, "localhost", conf); err != nil {
		t.Fatal(err)
	}
	copyFile(t, other.File, file, 0o644)
	testkit.Until(t, "the client is refused", func() bool { _, err := talk(addr, "localhost", conf); return err != nil })
	if err := os.WriteFile(file, nil, 0o644); err != nil { // nobody is not everybody
		t.Fatal(err)
	}
	copyFile(t, crt, file, 0o644) // the certificate itself instead of its authority
	testkit.Until(t, "the client is let in", func() bool { _, err := talk(addr, "localhost", conf); return err == nil })
}

// TestSourceRefuses makes sources of what is no certificate.
func TestSourceRefuses(t *testing.T) {
	ca := testkit.NewAuthority(t)
	crt, key := ca.Issue("localhost", nil)
	_, otherKey := ca.Issue("localhost", nil)
	for name, c := range map[string]struct {
		o    cert.Options
		want string
	}{
		"nothing":           {cert.Options{}, "want a data folder"},
		"no key":            {cert.Options{Cert: crt, Data: t.TempDir()}, "read the certificate"},
		"another's key":     {cert.Options{Cert: crt, Key: otherKey}, crt + " and " + otherKey},
		"key for both":      {cert.Options{Cert: key, Key: key}, "no certificate with its key"},
		"no https":          {cert.Options{Data: t.TempDir(), ACME: cert.ACME{Domains: []string{"a.example"}, Directory: "http://x"}}, "ACME directory"},
		"no CA of the ACME": {cert.Options{Data: t.TempDir(), ACME: cert.ACME{Domains: []string{"a.example"}, CAFile: key}}, "no certificate in it"},
	} {
		c.o.Log = testkit.Log(t)
		if s, err := cert.NewSource(c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, %v: want %q", name, s, err, c.want)
		}
	}
}
