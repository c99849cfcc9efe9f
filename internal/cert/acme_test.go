package cert_test

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"camqtt/internal/cert"
	"camqtt/internal/testkit"
)

// TestACME gets certificates from a real authority that checks the domains at our
// port, and uses what it has got after a restart without asking again.
func TestACME(t *testing.T) {
	port := testkit.FreePort(t)
	ca := testkit.StartPebble(t, port)
	data := t.TempDir()
	log := &testkit.Output{}
	o := cert.Options{
		Data: data, Log: slog.New(slog.NewTextHandler(log, nil)),
		ACME: cert.ACME{Domains: []string{"Cams.example.org", "second.example.org"}, Email: "a@example.org", Directory: ca.Directory, CAFile: ca.CAFile},
	}
	s := source(t, o)
	conf, err := s.Config(cert.ServerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	l, err := tls.Listen("tcp", addr, conf)
	if err != nil {
		t.Fatal(err)
	}
	serveEcho(t, l)
	anybody := &tls.Config{InsecureSkipVerify: true} // pebble's root is made anew at every start
	if _, err := talk(addr, "cams.example.org", anybody); err == nil {
		t.Error("a handshake went well before there was a certificate")
	}
	if _, ok := s.Pin(); ok {
		t.Error("there is a pin before there is a certificate")
	}
	testkit.Serve(t, s)
	defer func() {
		if t.Failed() {
			t.Log(log.String(), ca.Log())
		}
	}()
	for _, name := range []string{"cams.example.org", "second.example.org"} {
		testkit.Until(t, name+" has its certificate", func() bool {
			state, err := talk(addr, name, anybody)
			return err == nil && state.PeerCertificates[0].VerifyHostname(name) == nil
		})
	}
	if state, err := talk(addr, "", anybody); err != nil || state.PeerCertificates[0].VerifyHostname("cams.example.org") != nil {
		t.Errorf("without a name: %v, want the first domain's certificate", err)
	}
	// Who only says that he checks the domain gets nothing.
	if _, err := talk(addr, "cams.example.org", &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"acme-tls/1"}}); err == nil {
		t.Error("the protocol of the authority lets in who is none")
	}
	cache := filepath.Join(cert.Folder(data), "acme")
	if info, err := os.Stat(cache); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%s: %v, %v: want mode 0700", cache, info, err)
	}
	testkit.Until(t, "the authority says what it has issued", func() bool { return ca.Issued() >= 2 }) // its log comes by a pipe
	issued := ca.Issued()
	if issued != 2 {
		t.Errorf("%d certificates issued, want 2", issued)
	}

	again := source(t, o)
	testkit.Serve(t, again)
	testkit.Until(t, "the certificate is there again", func() bool { _, ok := again.Pin(); return ok })
	before, _ := s.Pin()
	if after, _ := again.Pin(); after != before || ca.Issued() != issued {
		t.Errorf("a restart: key %s, then %s; %d certificates issued, then %d", before, after, issued, ca.Issued())
	}
}

// TestACMEPortWithClientCertificates answers no authority: that would let in others.
func TestACMEPortWithClientCertificates(t *testing.T) {
	s := source(t, cert.Options{Data: t.TempDir(), ACME: cert.ACME{Domains: []string{"cams.example.org"}}})
	conf, err := s.Config(cert.ServerOptions{ClientCA: testkit.NewAuthority(t).File})
	if err != nil {
		t.Fatal(err)
	}
	c, err := conf.GetConfigForClient(&tls.ClientHelloInfo{SupportedProtos: []string{"acme-tls/1"}})
	if err != nil || c == nil || c.ClientAuth != tls.RequireAndVerifyClientCert {
		t.Errorf("%+v, %v: want a certificate required", c, err)
	}
}

// TestACMEOutOfReach keeps a source whose authority never answers: handshakes do not
// wait for it, and neither does the end.
func TestACMEOutOfReach(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	log := &testkit.Output{}
	s := source(t, cert.Options{
		Data: t.TempDir(), Log: slog.New(slog.NewTextHandler(log, nil)),
		ACME: cert.ACME{Domains: []string{"cams.example.org"}, Directory: "https://" + silent.Addr().String() + "/dir"},
	})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }() // ends with stop
	asked, err := silent.Accept()        // the request is under way
	if err != nil {
		t.Fatal(err)
	}
	defer asked.Close()
	if _, err := talk(listen(t, s, cert.ServerOptions{}), "cams.example.org", &tls.Config{InsecureSkipVerify: true}); err == nil {
		t.Error("a handshake went well without a certificate")
	}
	stop()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(testkit.Patience):
		t.Fatal("does not end while the authority is silent")
	}
}

// TestACMEFails has an authority that cannot be trusted: it is said, and tried again.
func TestACMEFails(t *testing.T) {
	other := source(t, cert.Options{Data: t.TempDir()})
	addr := listen(t, other, cert.ServerOptions{})
	log := &testkit.Output{}
	s := source(t, cert.Options{
		Data: t.TempDir(), Log: slog.New(slog.NewTextHandler(log, nil)),
		ACME: cert.ACME{Domains: []string{"cams.example.org"}, Directory: "https://" + addr + "/dir", Retry: 10 * time.Millisecond},
	})
	testkit.Serve(t, s)
	testkit.Until(t, "it is tried again", func() bool { return strings.Count(log.String(), "no certificate from the authority") > 1 })
	if strings.Count(log.String(), "unknown authority") == 0 {
		t.Error(strings.TrimSpace(log.String()))
	}
}
