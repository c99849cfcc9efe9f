package enrol

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"camqtt/internal/cert"
	"camqtt/internal/mdns"
	"camqtt/internal/wire"
)

// ErrUnconfirmed is a hub that fell silent after the node had kept its token: it may
// have made the account.
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
	// Keep keeps the credentials where a power cut does not reach them. The account is
	// made only when it has returned.
	Keep func(Credentials) error
	// Cert and Key are PEM files with a certificate to show to a hub that asks for
	// one, or "".
	Cert, Key string
	Timeout   time.Duration // for one address; 0 is 20 s
}

// Join exchanges a join string for credentials. It tells the secret to nobody who has
// not proven the key, and to one hub only. Its errors wrap those of this package.
func (c Client) Join(ctx context.Context, code Code) (Credentials, error) {
	if c.Timeout <= 0 {
		c.Timeout = 20 * time.Second
	}
	var errs []error
	for i, addr := range code.Addresses {
		conn, err := c.dial(ctx, addr, code.Pin)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		defer conn.Close()
		stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
		defer stop()
		order := append([]string{addr}, code.Addresses[:i]...)
		return c.exchange(conn, code, append(order, code.Addresses[i+1:]...))
	}
	return Credentials{}, fmt.Errorf("no hub was reached, and the join string is not used up: %w", errors.Join(errs...))
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

// errImpostor is somebody who answers with another key.
var errImpostor = errors.New("whoever answers there does not have the hub's key: the hub has a new one since the join string was made, or somebody is in between. Nothing was told to him")

// Probe reports whether the hub of a door is there and has its key.
func Probe(ctx context.Context, d Door) error {
	conn, err := Client{Timeout: 5 * time.Second}.dial(ctx, d.near(), d.Pin)
	if err != nil {
		return err
	}
	return conn.Close()
}

// exchange does what package enrol's comment says.
func (c Client) exchange(conn *tls.Conn, code Code, addresses []string) (Credentials, error) {
	r := bufio.NewReaderSize(conn, maxLine)
	var g grant
	err := say(conn, request{Invitation: code.Invitation(), Secret: code.Secret[:]})
	if err == nil {
		err = hear(r, &g)
	}
	if err != nil {
		return Credentials{}, fmt.Errorf("the hub broke off: %w; if the join string is refused from now on, make another one", err)
	}
	if g.Error != "" {
		return Credentials{}, fmt.Errorf("not let in: %w", reason(g.Error))
	}
	got, err := g.credentials(conn, code, addresses)
	if err != nil {
		return Credentials{}, fmt.Errorf("what the hub says cannot be used: %w", err)
	}
	got.Cert, got.Key = c.Cert, c.Key
	if err := c.Keep(got); err != nil {
		return Credentials{}, fmt.Errorf("keep the camera's token, for which the join string is used up now: %w", err)
	}
	var v verdict
	if err := say(conn, stored{true}); err != nil {
		return got, fmt.Errorf("%w: %w", ErrUnconfirmed, err)
	}
	switch err := hear(r, &v); {
	case err != nil:
		return got, fmt.Errorf("%w: %w", ErrUnconfirmed, err)
	case !v.Joined:
		return Credentials{}, fmt.Errorf("not let in: %w", reason(v.Error))
	}
	return got, nil
}

// check looks at what the hub has said.
func (g grant) check(camera wire.ID) error {
	switch {
	case g.Camera != camera:
		return fmt.Errorf("it is for camera %.40q, the join string for %s", g.Camera, camera)
	case g.Token == "" || strings.ContainsFunc(g.Token, func(r rune) bool { return r < '!' || r > '~' }):
		return errors.New("the token has characters that tokens do not have")
	case g.Scheme != "mqtts" && g.Scheme != "wss":
		return fmt.Errorf("scheme %.20q: want mqtts or wss", g.Scheme)
	}
	_, err := wire.ParseBase(g.Base)
	return err
}

// credentials makes of a grant what a node keeps.
func (g grant) credentials(conn *tls.Conn, code Code, addresses []string) (Credentials, error) {
	got := Credentials{Camera: g.Camera, Token: g.Token, Base: wire.Base(g.Base), Prefix: g.Prefix, Invitation: code.Invitation()}
	if err := g.check(code.Camera); err != nil {
		return got, err
	}
	for _, a := range addresses {
		got.URLs = append(got.URLs, g.Scheme+"://"+a)
	}
	host, _, err := net.SplitHostPort(addresses[0])
	if err != nil {
		return got, err
	}
	if !trusted(conn.ConnectionState(), host) {
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
