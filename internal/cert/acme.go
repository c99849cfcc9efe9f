package cert

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
)

// ACME says how certificates are got from an authority (RFC 8555). The authority
// checks each domain by connecting to its port 443 (TLS-ALPN-01, RFC 8737), so that
// must lead to a TLS port of this program that asks for no client certificates.
type ACME struct {
	Domains   []string
	Email     string        // for the authority's warnings; may be empty
	Directory string        // https URL of the authority; empty is Let's Encrypt
	CAFile    string        // PEM file of the authorities that vouch for Directory; empty trusts the system's
	Retry     time.Duration // after the first failure, doubling up to an hour; 0 is 5 min
}

// issuer gets certificates and renews them. Handshakes never wait for it.
type issuer struct {
	log     *slog.Logger
	domains []string
	retry   time.Duration
	manager *autocert.Manager
	stop    context.CancelFunc // ends every request to the authority

	mu    sync.Mutex
	certs map[string]*tls.Certificate // by domain
}

// newIssuer checks the options. It makes no connection.
func newIssuer(o Options) (*issuer, error) {
	a := o.ACME
	if a.Directory == "" {
		a.Directory = autocert.DefaultACMEDirectory
	}
	if u, err := url.Parse(a.Directory); err != nil || u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("ACME directory %q: want such as https://ca.example/acme/acme/directory", a.Directory)
	}
	conf, err := Client(ClientOptions{CAFile: a.CAFile})
	if err != nil {
		return nil, fmt.Errorf("ACME: %w", err)
	}
	life, stop := context.WithCancel(context.Background())
	i := &issuer{
		log: o.Log, domains: slices.Clone(a.Domains), retry: a.Retry, stop: stop,
		certs: map[string]*tls.Certificate{},
	}
	for n, d := range i.domains {
		i.domains[n] = strings.ToLower(d)
	}
	if i.retry <= 0 {
		i.retry = 5 * time.Minute // Let's Encrypt takes five failures an hour
	}
	i.manager = &autocert.Manager{
		Prompt: autocert.AcceptTOS, Email: a.Email,
		Cache:      autocert.DirCache(filepath.Join(Folder(o.Data), "acme")), // makes it with mode 0700
		HostPolicy: autocert.HostWhitelist(i.domains...),
		Client: &acme.Client{
			DirectoryURL: a.Directory, UserAgent: "camqtt",
			HTTPClient: &http.Client{Timeout: 30 * time.Second, Transport: &mortal{life: life, with: &http.Transport{
				Proxy: http.ProxyFromEnvironment, TLSClientConfig: conf, ForceAttemptHTTP2: true,
				DialContext: (&net.Dialer{Timeout: 10 * time.Second}).DialContext, IdleConnTimeout: time.Minute,
			}}},
		},
	}
	return i, nil
}

// certificate is the one for a name, for others that of the first domain; nil while
// there is none.
func (i *issuer) certificate(name string) *tls.Certificate {
	i.mu.Lock()
	defer i.mu.Unlock()
	if c := i.certs[strings.TrimSuffix(strings.ToLower(name), ".")]; c != nil {
		return c
	}
	return i.certs[i.domains[0]]
}

// challenged answers an authority that checks a domain; to others it is nil, which
// leaves the port's own configuration.
func (i *issuer) challenged(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	if !slices.Contains(hello.SupportedProtos, acmeProtocol) {
		return nil, nil
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{acmeProtocol}, SessionTicketsDisabled: true,
		GetCertificate: i.manager.GetCertificate, // has one only while a check is under way
	}, nil
}

// serve gets every certificate and looks for renewed ones, which the manager gets
// by itself.
func (i *issuer) serve(ctx context.Context) {
	unhook := context.AfterFunc(ctx, i.stop)
	defer unhook()
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, d := range i.domains {
		wg.Go(func() { i.keep(ctx, d) }) // ends with ctx
	}
}

// keep holds the certificate of one domain.
func (i *issuer) keep(ctx context.Context, domain string) {
	pause := i.retry
	for {
		wait := time.Minute
		c, err := i.manager.GetCertificate(&tls.ClientHelloInfo{ // wants ECDSA, which is what everybody understands
			ServerName: domain, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256},
			SignatureSchemes: []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256}, SupportedCurves: []tls.CurveID{tls.CurveP256},
		})
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			i.log.Error("no certificate from the authority, trying again", "domain", domain, "retry_in", pause.String(), "err", err)
			wait, pause = pause, min(2*pause, time.Hour)
		default:
			pause = i.retry
			i.put(domain, c)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

func (i *issuer) put(domain string, c *tls.Certificate) {
	i.mu.Lock()
	defer i.mu.Unlock()
	old := i.certs[domain]
	if old != nil && old.Leaf != nil && c.Leaf != nil && old.Leaf.Equal(c.Leaf) {
		return
	}
	i.certs[domain] = c
	until := ""
	if c.Leaf != nil {
		until = c.Leaf.NotAfter.UTC().Format(time.RFC3339)
	}
	i.log.Info("certificate from the authority is in use", "domain", domain, "until", until)
}

// mortal makes requests end with a life, for the manager has no context of its own
// and would go on for minutes.
type mortal struct {
	life context.Context // of the issuer; no request outlives it
	with http.RoundTripper
}

var errStopped = errors.New("the program stops")

// RoundTrip makes one request.
func (m *mortal) RoundTrip(r *http.Request) (*http.Response, error) {
	if m.life.Err() != nil {
		return nil, errStopped
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	unhook := context.AfterFunc(m.life, func() { cancel(errStopped) })
	end := func() {
		unhook()
		cancel(nil)
	}
	res, err := m.with.RoundTrip(r.WithContext(ctx))
	if err != nil {
		end()
		return nil, err
	}
	res.Body = &lastWords{res.Body, end}
	return res, nil
}

// lastWords calls end when a body is closed.
type lastWords struct {
	io.ReadCloser
	end func()
}

// Close closes the body.
func (l *lastWords) Close() error {
	defer l.end()
	return l.ReadCloser.Close()
}
