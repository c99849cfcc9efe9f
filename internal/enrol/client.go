package enrol

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"camqtt/internal/access"
	"camqtt/internal/cert"
	"camqtt/internal/mdns"
	"camqtt/internal/wire"
)

// ErrUnconfirmed means that the hub did not answer the request to join: it may have made
// the account.
var ErrUnconfirmed = errors.New("the hub did not confirm that the camera has an account now")

// Credentials are what a node gets.
type Credentials struct {
	Camera     wire.ID
	Token      string
	URLs       []string  // of the broker, the one that has answered first
	Pin        *cert.Pin // nil: the hub's certificate is one that the system trusts
	Base       wire.Base
	Prefix     string // Home Assistant's
	Invitation string // that they came by
	Cert, Key  string // PEM files to show to the hub, or ""
}

// Client is a node that wants to come in.
type Client struct {
	// Keep writes the credentials to durable storage. The join string is used, and the
	// account made, only after it has returned.
	Keep func(Credentials) error
	// Cert and Key are PEM files with a certificate to show to a hub that asks for
	// one, or "".
	Cert, Key string
	Timeout   time.Duration // for one address; 0 is 20 s
}

// Join exchanges a join string for an account. It sends the secret only to a hub that has
// proven the key, and to one hub only. Its errors wrap those of this package.
func (c Client) Join(ctx context.Context, code Code) (Credentials, error) {
	if c.Timeout <= 0 {
		c.Timeout = 20 * time.Second
	}
	var errs []error
	for i, addr := range code.Addresses {
		client := &http.Client{Timeout: c.Timeout, Transport: &http.Transport{
			DialTLSContext: func(ctx context.Context, _, addr string) (net.Conn, error) { return c.dial(ctx, addr, code.Pin) },
		}}
		defer client.CloseIdleConnections()
		hub, state, err := send(ctx, client, http.MethodGet, addr, nil)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		order := append([]string{addr}, code.Addresses[:i]...)
		got, err := hub.credentials(state, code, append(order, code.Addresses[i+1:]...))
		if err != nil {
			return Credentials{}, fmt.Errorf("what the hub says cannot be used: %w", err)
		}
		got.Cert, got.Key = c.Cert, c.Key
		if err := c.Keep(got); err != nil {
			return Credentials{}, fmt.Errorf("keep the camera's token; the join string is not used up: %w", err)
		}
		verdict, _, err := send(ctx, client, http.MethodPost, addr, request{
			Invitation: code.Invitation(), Secret: code.Secret[:], Token: got.Token,
		})
		switch {
		case err != nil:
			return got, fmt.Errorf("%w: %w", ErrUnconfirmed, err)
		case verdict.Error != "":
			return Credentials{}, fmt.Errorf("not let in: %w", reason(verdict.Error))
		}
		return got, nil
	}
	return Credentials{}, fmt.Errorf("no hub was reached, and the join string is not used up: %w", errors.Join(errs...))
}

// send sends one request and reads the answer.
func send(ctx context.Context, client *http.Client, method, addr string, body any) (a answer, _ *tls.ConnectionState, err error) {
	text, err := json.Marshal(body)
	if err != nil {
		return a, nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, "https://"+addr+path, bytes.NewReader(text))
	if err != nil {
		return a, nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return a, nil, err
	}
	defer resp.Body.Close()
	if text, err = io.ReadAll(http.MaxBytesReader(nil, resp.Body, maxBody)); err != nil {
		return a, nil, err
	}
	if json.Unmarshal(text, &a) != nil || resp.TLS == nil || a.Error == "" && resp.StatusCode != http.StatusOK {
		return a, nil, fmt.Errorf("%s: answer %d is not that of a hub", addr, resp.StatusCode)
	}
	return a, resp.TLS, nil
}

// dial gives a connection whose other end has proven the key.
func (c Client) dial(ctx context.Context, addr string, pin cert.Pin) (*tls.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	conf, err := cert.Client(cert.ClientOptions{Pins: []cert.Pin{pin}, Cert: c.Cert, Key: c.Key})
	if err != nil {
		return nil, err
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	conf.ServerName, conf.NextProtos = host, []string{Protocol}
	verify := conf.VerifyConnection
	conf.VerifyConnection = func(s tls.ConnectionState) error {
		if err := verify(s); err != nil {
			return errImpostor
		}
		return nil
	}
	raw, err := mdns.Dial(ctx, new(net.Dialer), "tcp", addr)
	if err != nil {
		return nil, err
	}
	t := tls.Client(raw, conf)
	err = t.HandshakeContext(ctx)
	switch {
	case err == nil && t.ConnectionState().NegotiatedProtocol == Protocol:
		_ = t.SetDeadline(time.Now().Add(c.Timeout))
		return t, nil
	case err == nil:
		err = errors.New("the hub has the right key but takes no join strings: is it an older camqtt?")
	}
	raw.Close()
	return nil, fmt.Errorf("%s: %w", addr, err)
}

// errImpostor is the error of an answer with another key.
var errImpostor = errors.New("whoever answers there does not have the hub's key: the hub has a new one since the join string was made, or somebody is in between. Nothing was told to him")

// Probe reports whether the hub of a door is there and has its key.
func Probe(ctx context.Context, d Endpoint) error {
	conn, err := Client{Timeout: 5 * time.Second}.dial(ctx, d.near(), d.Pin)
	if err != nil {
		return err
	}
	return conn.Close()
}

// check refuses an answer to GET that cannot be used.
func (a answer) check() error {
	if a.Scheme != "mqtts" && a.Scheme != "wss" {
		return fmt.Errorf("scheme %.20q: want mqtts or wss", a.Scheme)
	}
	_, err := wire.ParseBase(a.Base)
	return err
}

// credentials are those of a new account, with a token of its own.
func (a answer) credentials(state *tls.ConnectionState, code Code, addresses []string) (Credentials, error) {
	got := Credentials{
		Camera: code.Camera, Token: access.NewToken(), Base: wire.Base(a.Base), Prefix: a.Prefix, Invitation: code.Invitation(),
	}
	if err := a.check(); err != nil {
		return got, err
	}
	for _, addr := range addresses {
		got.URLs = append(got.URLs, a.Scheme+"://"+addr)
	}
	host, _, err := net.SplitHostPort(addresses[0])
	if err != nil {
		return got, err
	}
	if !trusted(*state, host) {
		got.Pin = &code.Pin
		return got, nil
	}
	got.URLs = got.URLs[:1] // its certificate names this one
	return got, nil
}

// trusted reports whether a certificate needs no pin, because the system's authorities
// vouch for it and for the name that was dialled. Such a one may get a new key when it
// is renewed.
func trusted(s tls.ConnectionState, host string) bool {
	o := x509.VerifyOptions{DNSName: host, Intermediates: x509.NewCertPool()}
	for _, c := range s.PeerCertificates[1:] {
		o.Intermediates.AddCert(c)
	}
	_, err := s.PeerCertificates[0].Verify(o)
	return err == nil
}

// YAML writes credentials as a configuration that camqtt run and camqtt node read.
func (c Credentials) YAML() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "# How camera %s reaches its hub. It holds a secret: nobody else may read it.\n", c.Camera)
	fmt.Fprintf(&b, "# Use it beside a configuration of your own: camqtt run -c node.yaml -c THIS-FILE\n")
	if c.Invitation != "" {
		b.WriteString(invitationMark + c.Invitation + "\n")
	}
	b.WriteString("mqtt:\n  url:\n")
	for _, u := range c.URLs {
		fmt.Fprintf(&b, "    - %q\n", u)
	}
	fmt.Fprintf(&b, "  username: %q\n  password: %q\n", string(c.Camera), c.Token)
	if c.Pin != nil {
		fmt.Fprintf(&b, "  pin: %q\n", c.Pin.String())
	}
	if c.Cert != "" {
		fmt.Fprintf(&b, "  cert: %q\n  key: %q\n", c.Cert, c.Key)
	}
	fmt.Fprintf(&b, "base: %q\n", string(c.Base))
	if c.Prefix != "" {
		fmt.Fprintf(&b, "homeassistant:\n  prefix: %q\n", c.Prefix)
	}
	return []byte(b.String())
}

// invitationMark says in a file of credentials which invitation they came by.
const invitationMark = "# Joined by invitation "

// CameBy reports whether credentials, as written by YAML, came by a join string.
func CameBy(yaml []byte, c Code) bool {
	return strings.Contains(string(yaml), "\n"+invitationMark+c.Invitation()+"\n")
}
