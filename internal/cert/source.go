package cert

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/acme"

	"camqtt/internal/securefile"
)

// Options says where a server's certificate comes from: Cert and Key, or ACME's
// domains, or else a key of its own in Data. Log is needed.
type Options struct {
	Cert, Key string // PEM files, the server's own certificate first; followed when they change
	ACME      ACME
	Data      string // folder for what is made: the own key, ACME's account and certificates
	Log       *slog.Logger
	Every     time.Duration // between looks at files; 0 is 2 s
}

// Source is a server's certificate, kept current by Serve. Make one with
// [NewSource]. Its methods may be called from any goroutine.
type Source struct {
	log    *slog.Logger
	every  time.Duration
	acme   *issuer // nil unless ACME is used
	pair   atomic.Pointer[tls.Certificate]
	warned atomic.Int64 // Unix time of the last complaint about the date

	mu        sync.Mutex
	followers []*follower
}

// NewSource reads the certificate, or makes the own key at its first use. It starts
// nothing.
func NewSource(o Options) (*Source, error) {
	if o.Log == nil {
		return nil, errors.New("certificate: Log is needed")
	}
	s := &Source{log: o.Log, every: o.Every}
	if s.every <= 0 {
		s.every = 2 * time.Second
	}
	switch {
	case o.Cert != "" || o.Key != "":
		return s, s.follow(&follower{
			what: "certificate", names: []string{o.Cert, o.Key}, secrets: []bool{false, true},
			take: func(texts [][]byte) error {
				c, err := pair(o.Cert, o.Key, texts[0], texts[1])
				if err == nil {
					s.pair.Store(c)
				}
				return err
			},
		})
	case o.Data == "":
		return nil, errors.New("certificate: want a data folder for the broker's own key, or certificate files")
	case len(o.ACME.Domains) > 0:
		var err error
		s.acme, err = newIssuer(o)
		return s, err
	}
	c, err := Own(o.Data)
	s.pair.Store(c)
	return s, err
}

// Pin is the pin of the certificate in use; false while ACME has none yet.
func (s *Source) Pin() (Pin, bool) {
	c := s.current("")
	if c == nil || c.Leaf == nil {
		return Pin{}, false
	}
	return PinOf(c.Leaf), true
}

// Names reports whether the certificate in use is for a host, by name or address.
func (s *Source) Names(host string) bool {
	c := s.current(host)
	return c != nil && c.Leaf != nil && c.Leaf.VerifyHostname(host) == nil
}

// current is the certificate for a name.
func (s *Source) current(name string) *tls.Certificate {
	if s.acme != nil {
		return s.acme.certificate(name)
	}
	return s.pair.Load()
}

// ServerOptions says what one port of a server asks of its clients.
type ServerOptions struct {
	// ClientCA is a PEM file with the authorities of clients' certificates, or with
	// such certificates themselves, followed when it changes. Empty asks for none.
	ClientCA string
	// Optional lets clients in that show no certificate; one that cannot be verified
	// is refused all the same.
	Optional  bool
	Protocols []string // for ALPN (RFC 7301); nil takes whatever clients name
}

// Config is what a TLS port needs: TLS 1.2 or later, the certificate as it is at
// the time of each connection. Call it before Serve.
func (s *Source) Config(o ServerOptions) (*tls.Config, error) {
	base := &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: o.Protocols,
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			if c := s.current(hello.ServerName); c != nil {
				return c, nil
			}
			return nil, errors.New("there is no certificate yet")
		},
	}
	if o.ClientCA == "" {
		if s.acme != nil {
			base.GetConfigForClient = s.acme.challenged
		}
		return base, nil
	}
	// A port that asks for certificates answers no challenge: that would be a way in
	// without one. Nor does it resume connections: what a client showed then may not
	// be trusted now.
	base.SessionTicketsDisabled = true
	base.ClientAuth = tls.RequireAndVerifyClientCert
	if o.Optional {
		base.ClientAuth = tls.VerifyClientCertIfGiven
	}
	var now atomic.Pointer[tls.Config]
	err := s.follow(&follower{
		what: "authorities of clients", names: []string{o.ClientCA}, secrets: []bool{false},
		take: func(texts [][]byte) error {
			pool, err := Authorities(texts[0])
			if err != nil {
				return fmt.Errorf("certificate authority %s: %w", o.ClientCA, err)
			}
			c := base.Clone()
			c.ClientCAs = pool
			now.Store(c)
			return nil
		},
	})
	outer := base.Clone()
	outer.ClientCAs = x509.NewCertPool() // trusts no certificate, should it ever be used
	outer.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return now.Load(), nil }
	return outer, err
}

// Serve keeps everything current until ctx is done.
func (s *Source) Serve(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	if s.acme != nil {
		wg.Go(func() { s.acme.serve(ctx) }) // ends with ctx
	}
	tick := time.NewTicker(s.every)
	defer tick.Stop()
	for {
		s.complain(time.Now())
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		s.mu.Lock()
		all := s.followers
		s.mu.Unlock()
		for _, f := range all {
			f.look(s.log)
		}
	}
}

// complain says once a day that the certificate ends soon.
func (s *Source) complain(now time.Time) {
	c := s.current("")
	if c == nil || now.Unix()-s.warned.Load() < int64(24*time.Hour/time.Second) {
		return
	}
	if soon, at := expired(c, now); soon {
		s.warned.Store(now.Unix())
		s.log.Warn("certificate ends soon or has ended", "until", at.UTC().Format(time.RFC3339))
	}
}

// follow reads files for the first time, when they must be good, and from then on
// when they change.
func (s *Source) follow(f *follower) error {
	texts, err := f.read()
	if err == nil {
		err = f.take(texts)
	}
	if err != nil {
		return err
	}
	f.seen = texts
	s.mu.Lock()
	defer s.mu.Unlock()
	s.followers = append(s.followers, f)
	return nil
}

// follower takes files anew when they change. It compares what is in them: times
// tell little about files behind links, which is how many tools replace them.
type follower struct {
	what    string
	names   []string
	secrets []bool // which of them
	take    func(texts [][]byte) error
	seen    [][]byte // as last looked at
	faulty  string   // what was wrong then, "" for nothing
	said    bool     // that it was
}

func (f *follower) read() ([][]byte, error) {
	texts := make([][]byte, len(f.names))
	for i, name := range f.names {
		read := os.ReadFile
		if f.secrets[i] {
			read = securefile.ReadSecret
		}
		var err error
		if texts[i], err = read(name); err != nil {
			return nil, fmt.Errorf("read the %s: %w", f.what, err)
		}
	}
	return texts, nil
}

// look takes what has changed. What is wrong is said when it is still wrong at the
// next look, because two files are not replaced at the same moment.
func (f *follower) look(log *slog.Logger) {
	texts, err := f.read()
	if err == nil {
		same := true
		for i := range texts {
			same = same && bytes.Equal(texts[i], f.seen[i])
		}
		if same {
			f.faulty, f.said = "", false
			return
		}
		err = f.take(texts)
	}
	if err == nil {
		f.seen, f.faulty, f.said = texts, "", false
		log.Info("changed files are in use", "what", f.what, "file", f.names[0])
		return
	}
	if err.Error() == f.faulty && !f.said {
		f.said = true
		log.Error("changed files cannot be used, what was there before stays", "what", f.what, "err", err)
	}
	if err.Error() != f.faulty {
		f.faulty, f.said = err.Error(), false
	}
}

// acmeProtocol is what an authority asks for when it checks a domain (RFC 8737).
const acmeProtocol = acme.ALPNProto
