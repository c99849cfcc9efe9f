package enrol

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"camqtt/internal/access"
	"camqtt/internal/cert"
	"camqtt/internal/testkit"
	"camqtt/internal/wire"
)

// entrance is a hub on a TLS port of loopback.
type entrance struct {
	*Hub
	invites  InviteStore
	accounts *access.Accounts
	file     string // of accounts
	addr     string
	pin      cert.Pin
	log      *testkit.Output
}

// certificate makes a key and what a server with it needs.
func certificate(t testing.TB) (*tls.Config, cert.Pin) {
	t.Helper()
	s, err := cert.NewSource(cert.Options{Data: t.TempDir(), Log: testkit.Log(t)})
	if err != nil {
		t.Fatal(err)
	}
	conf, err := s.Config(cert.ServerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pin, _ := s.Pin()
	return conf, pin
}

// accept serves every connection of a TLS port until the test ends.
func accept(t testing.TB, conf *tls.Config, serve func(*tls.Conn)) string {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", conf)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() { // ends when the listener is closed
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { // ends with the connection, whose deadlines are set
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(testkit.Patience))
				if tc := c.(*tls.Conn); tc.Handshake() == nil {
					serve(tc)
				}
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		all.Wait()
	})
	return l.Addr().String()
}

// open runs a hub with one admin.
func open(t testing.TB) *entrance {
	t.Helper()
	dir := t.TempDir()
	e := &entrance{invites: InviteStore(filepath.Join(dir, FileName)), file: filepath.Join(dir, access.FileName), log: &testkit.Output{}}
	if _, err := access.Add(e.file, access.Account{Name: "boss", Role: access.Admin}, ""); err != nil {
		t.Fatal(err)
	}
	var err error
	if e.accounts, err = access.Open(access.Options{File: e.file}); err != nil {
		t.Fatal(err)
	}
	conf, pin := certificate(t)
	e.pin = pin
	e.Hub, err = New(Options{
		Invites: e.invites, Accounts: e.file, Guard: e.accounts, Base: "site/cam", Prefix: "ha", Log: logger(e.log),
		Endpoint: func() (Endpoint, bool) { return Endpoint{Pin: pin, Listen: e.addr, Scheme: "mqtts"}, true },
	})
	if err != nil {
		t.Fatal(err)
	}
	e.addr = accept(t, Offer(conf), func(c *tls.Conn) {
		if c.ConnectionState().NegotiatedProtocol == Protocol {
			e.Handle(c)
		}
	})
	testkit.Serve(t, e)
	testkit.Until(t, "the hub says how it is reached", func() bool { _, err := e.invites.Endpoint(); return err == nil })
	return e
}

// invite makes an invitation.
func (e *entrance) invite(t testing.TB, id wire.ID) Code {
	t.Helper()
	in, err := e.invites.Invite(id, nil)
	if err != nil {
		t.Fatal(err)
	}
	return in.Code
}

// named reports whether there is an account, in the file and in force.
func (e *entrance) named(t testing.TB, id wire.ID) bool {
	t.Helper()
	err := Vacant(e.file, id)
	if err != nil && !errors.Is(err, ErrExists) {
		t.Fatal(err)
	}
	if (err != nil) != e.accounts.Named(string(id)) {
		t.Errorf("account %s: the file says %v, in force is %v", id, err != nil, err == nil)
	}
	return err != nil
}

// keep keeps credentials in a variable.
func keep(into *Credentials) func(Credentials) error {
	return func(c Credentials) error {
		*into = c
		return nil
	}
}

// take joins as a node does.
func take(t testing.TB, c Code) (Credentials, error) {
	t.Helper()
	var kept Credentials
	got, err := Client{Keep: keep(&kept), Timeout: testkit.Patience}.Join(t.Context(), c)
	if err == nil && kept.Token != got.Token {
		t.Error("the token was not kept")
	}
	return got, err
}

// knock sends a request to join from an address of its own, and returns the answer.
func (e *entrance) knock(t testing.TB, from, invitation string, secret []byte) answer {
	t.Helper()
	d := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	client := &http.Client{Timeout: testkit.Patience, Transport: &http.Transport{
		DialTLSContext: func(context.Context, string, string) (net.Conn, error) {
			return tls.DialWithDialer(d, "tcp", e.addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{Protocol}})
		},
	}}
	defer client.CloseIdleConnections()
	a, _, err := send(t.Context(), client, http.MethodPost, e.addr, request{Invitation: invitation, Secret: secret, Token: access.NewToken()})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// rewrite changes the invitations file as if time had passed.
func (e *entrance) rewrite(t testing.TB, change func(*invitation)) {
	t.Helper()
	err := e.invites.edit(func(p *inviteFile) (bool, error) {
		for _, i := range p.Invitations {
			change(i)
		}
		return true, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func mode(t testing.TB, name string) os.FileMode {
	t.Helper()
	st, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	return st.Mode().Perm()
}
