package cert_test

import (
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"camqtt/internal/cert"
	"camqtt/internal/testkit"
)

// TestWhoIsTrusted connects clients of every kind to servers of every kind, twice
// each: what is refused stays refused.
func TestWhoIsTrusted(t *testing.T) {
	ca, other := testkit.NewAuthority(t), testkit.NewAuthority(t)
	server := func(a *testkit.Authority, name string, edit func(*x509.Certificate)) (addr string, pin cert.Pin) {
		t.Helper()
		crt, key := a.Issue(name, edit)
		s := source(t, cert.Options{Cert: crt, Key: key})
		pin, ok := s.Pin()
		if !ok {
			t.Fatal("no pin")
		}
		return listen(t, s, cert.ServerOptions{}), pin
	}
	good, goodPin := server(ca, "localhost", nil)
	expired, expiredPin := server(ca, "localhost", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	early, _ := server(ca, "localhost", func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Hour) })
	elsewhere, _ := server(ca, "elsewhere.example", nil)
	foreign, foreignPin := server(other, "localhost", nil)
	own := source(t, cert.Options{Data: t.TempDir()})
	ownPin, _ := own.Pin()
	ownAddr := listen(t, own, cert.ServerOptions{})

	for name, c := range map[string]struct {
		addr  string
		trust cert.ClientOptions
		want  string // of the error, "" for none
	}{
		"the authority":                {good, cert.ClientOptions{CAFile: ca.File}, ""},
		"the pin":                      {good, cert.ClientOptions{Pins: []cert.Pin{goodPin}}, ""},
		"one of two pins":              {good, cert.ClientOptions{Pins: []cert.Pin{foreignPin, goodPin}}, ""},
		"own key by pin":               {ownAddr, cert.ClientOptions{Pins: []cert.Pin{ownPin}}, ""},
		"expired, by pin":              {expired, cert.ClientOptions{Pins: []cert.Pin{expiredPin}}, ""},
		"expired":                      {expired, cert.ClientOptions{CAFile: ca.File}, "expired"},
		"not valid yet":                {early, cert.ClientOptions{CAFile: ca.File}, "not yet valid"},
		"another host's":               {elsewhere, cert.ClientOptions{CAFile: ca.File}, "not localhost"},
		"another authority's":          {foreign, cert.ClientOptions{CAFile: ca.File}, "unknown authority"},
		"the system's authorities":     {good, cert.ClientOptions{}, "unknown authority"},
		"own key without a pin":        {ownAddr, cert.ClientOptions{}, "unknown authority"},
		"wrong pin":                    {good, cert.ClientOptions{Pins: []cert.Pin{foreignPin}}, "want " + foreignPin.String()},
		"wrong pin, right authority's": {foreign, cert.ClientOptions{Pins: []cert.Pin{goodPin}}, "somebody else answers"},
	} {
		conf := client(t, c.trust)
		conf.ClientSessionCache = tls.NewLRUClientSessionCache(10) // resumed ones too
		for try := range 2 {
			_, err := talk(c.addr, "localhost", conf)
			switch {
			case c.want == "" && err != nil:
				t.Errorf("%s, try %d: %v", name, try, err)
			case c.want != "" && (err == nil || !strings.Contains(cert.Explain(err).Error(), c.want)):
				t.Errorf("%s, try %d: %v, want %q", name, try, err, c.want)
			}
		}
	}
	_, err := talk(ownAddr, "localhost", client(t, cert.ClientOptions{}))
	if text := cert.Explain(err).Error(); !strings.Contains(text, "its key is "+ownPin.String()) || !strings.Contains(text, "camqtt key") {
		t.Errorf("an untrusted certificate: %s, want its pin and what to do", text)
	}
}

// TestNoClock connects a client that believes it is 1970, as a machine without a clock
// does after every start: with a pin it works, with an authority it cannot.
func TestNoClock(t *testing.T) {
	ca := testkit.NewAuthority(t)
	crt, key := ca.Issue("localhost", nil)
	s := source(t, cert.Options{Cert: crt, Key: key})
	addr := listen(t, s, cert.ServerOptions{})
	pin, _ := s.Pin()
	for name, c := range map[string]struct {
		o  cert.ClientOptions
		ok bool
	}{"pin": {cert.ClientOptions{Pins: []cert.Pin{pin}}, true}, "authority": {cert.ClientOptions{CAFile: ca.File}, false}} {
		conf := client(t, c.o)
		conf.Time = func() time.Time { return time.Unix(100, 0) }
		if _, err := talk(addr, "localhost", conf); (err == nil) != c.ok {
			t.Errorf("%s: %v, want trusted %v", name, err, c.ok)
		}
	}
}

// TestEndIsAnnounced warns of a certificate that ends in a week, once.
func TestEndIsAnnounced(t *testing.T) {
	crt, key := testkit.NewAuthority(t).Issue("localhost", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(7 * 24 * time.Hour) })
	log := &testkit.Output{}
	s := source(t, cert.Options{Cert: crt, Key: key, Log: slog.New(slog.NewTextHandler(log, nil))})
	testkit.Serve(t, s)
	testkit.Until(t, "it is said", func() bool { return strings.Count(log.String(), "ends soon") > 0 })
	other, otherKey := testkit.NewAuthority(t).Issue("localhost", nil)
	copyFile(t, other, crt, 0o644)
	copyFile(t, otherKey, key, 0o600)
	testkit.Until(t, "several looks later", func() bool { return strings.Count(log.String(), "changed files are in use") > 0 })
	if n := strings.Count(log.String(), "ends soon"); n != 1 {
		t.Errorf("said %d times", n)
	}
}

// TestWhoIsTrustedNow checks that a pin still counts when a connection is resumed:
// trust that is withdrawn must not live on in a session ticket.
func TestWhoIsTrustedNow(t *testing.T) {
	s := source(t, cert.Options{Data: t.TempDir()})
	addr := listen(t, s, cert.ServerOptions{})
	pin, _ := s.Pin()
	conf := client(t, cert.ClientOptions{Pins: []cert.Pin{pin}})
	conf.ClientSessionCache = tls.NewLRUClientSessionCache(10)
	for i := range 2 {
		state, err := talk(addr, "localhost", conf)
		if err != nil || state.DidResume != (i > 0) {
			t.Fatalf("connection %d: resumed %v, %v", i, state.DidResume, err)
		}
	}
	wrong := client(t, cert.ClientOptions{Pins: []cert.Pin{{1}}})
	wrong.ClientSessionCache = conf.ClientSessionCache
	if _, err := talk(addr, "localhost", wrong); err == nil {
		t.Error("a resumed connection was trusted without the pin")
	}
}

// TestClientFiles gives clients files that are of no use: none ends up trusting
// everybody, or being nobody.
func TestClientFiles(t *testing.T) {
	ca := testkit.NewAuthority(t)
	crt, key := ca.Issue("front", nil)
	_, otherKey := ca.Issue("back", nil)
	dir := t.TempDir()
	file := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	open := filepath.Join(dir, "open.key")
	copyFile(t, key, open, 0o644)
	for name, o := range map[string]cert.ClientOptions{
		"empty authority":       {CAFile: file("empty", "", 0o644)},
		"no authority":          {CAFile: file("text", "hello", 0o644)},
		"missing authority":     {CAFile: filepath.Join(dir, "missing")},
		"authority and pin":     {CAFile: ca.File, Pins: []cert.Pin{{1}}},
		"certificate alone":     {Cert: crt},
		"key alone":             {Key: key},
		"another's key":         {Cert: crt, Key: otherKey},
		"key that all may read": {Cert: crt, Key: open},
	} {
		if c, err := cert.Client(o); err == nil || c != nil {
			t.Errorf("%s: %v, want an error and no configuration", name, err)
		}
	}
}

// TestVersions offers old versions of TLS.
func TestVersions(t *testing.T) {
	s := source(t, cert.Options{Data: t.TempDir()})
	addr := listen(t, s, cert.ServerOptions{})
	pin, _ := s.Pin()
	for version, ok := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		conf := client(t, cert.ClientOptions{Pins: []cert.Pin{pin}})
		conf.MinVersion, conf.MaxVersion = version, version
		for range 2 {
			if _, err := talk(addr, "localhost", conf); (err == nil) != ok {
				t.Errorf("%s: %v, want taken %v", tls.VersionName(version), err, ok)
			}
		}
	}
	if got := client(t, cert.ClientOptions{}).MinVersion; got != tls.VersionTLS12 {
		t.Errorf("a client takes %s", tls.VersionName(got))
	}
}

// TestClientCertificates connects clients that show a certificate, or none, in both
// versions of TLS.
func TestClientCertificates(t *testing.T) {
	ca, other := testkit.NewAuthority(t), testkit.NewAuthority(t)
	srv := source(t, cert.Options{Data: t.TempDir()})
	pin, _ := srv.Pin()
	required := listen(t, srv, cert.ServerOptions{ClientCA: ca.File})
	optional := listen(t, srv, cert.ServerOptions{ClientCA: ca.File, Optional: true})
	who := func(crt, key string) cert.ClientOptions {
		return cert.ClientOptions{Pins: []cert.Pin{pin}, Cert: crt, Key: key}
	}
	serverOnly := func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }
	late := func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }
	for name, c := range map[string]struct {
		o                  cert.ClientOptions
		required, optional bool
	}{
		"none":                  {who("", ""), false, true},
		"good":                  {who(ca.Issue("front", nil)), true, true},
		"another authority's":   {who(other.Issue("front", nil)), false, false},
		"expired":               {who(ca.Issue("front", late)), false, false},
		"one for servers alone": {who(ca.Issue("front", serverOnly)), false, false},
	} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			conf := client(t, c.o)
			conf.MaxVersion = version
			conf.ClientSessionCache = tls.NewLRUClientSessionCache(10)
			for range 2 {
				if state, err := talk(required, "localhost", conf); (err == nil) != c.required || state.DidResume {
					t.Errorf("%s, %s, required: %v, resumed %v", name, tls.VersionName(version), err, state.DidResume)
				}
				if _, err := talk(optional, "localhost", conf); (err == nil) != c.optional {
					t.Errorf("%s, %s, optional: %v", name, tls.VersionName(version), err)
				}
			}
		}
	}
	if _, err := srv.Config(cert.ServerOptions{ClientCA: filepath.Join(t.TempDir(), "missing")}); err == nil {
		t.Error("authorities that are not there were taken")
	}
}
