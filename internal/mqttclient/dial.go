package mqttclient

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"

	"camqtt/internal/brokerurl"
	"camqtt/internal/cert"
	"camqtt/internal/mdns"
	"camqtt/internal/sendbuffer"
)

// unsentBytes is how much the kernel may hold that has not left yet: half a second of a
// line of 256 kbit/s.
const unsentBytes = 16 << 10

// dialer opens connections to the brokers of a link's options, and knows the account at
// each.
type dialer struct{ opts *Options }

// dial opens the socket for one attempt. where is the address without secrets.
func (d *dialer) dial(ctx context.Context, turn int) (conn net.Conn, where string, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, d.opts.Timeout, errors.New("no answer in time"))
	defer cancel()
	if d.opts.Dial != nil {
		conn, err = d.opts.Dial(ctx)
		if err != nil {
			return nil, "", fmt.Errorf("connect to the broker in this process: %w", err)
		}
		return newPulse(conn, d.opts.Timeout, 0), "in-process", nil
	}
	u, err := brokerurl.Parse(d.opts.URLs[turn%len(d.opts.URLs)])
	if err != nil {
		return nil, "", err
	}
	where = (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
	conn, err = d.dialURL(ctx, u)
	if err != nil {
		return nil, "", fmt.Errorf("connect to %s: %w", where, cert.Explain(explainDial(err, brokerurl.Secure(u))))
	}
	sendbuffer.Limit(conn, unsentBytes)
	return conn, where, nil
}

func (d *dialer) dialURL(ctx context.Context, u *url.URL) (net.Conn, error) {
	var conf *tls.Config
	if brokerurl.Secure(u) {
		conf = &tls.Config{MinVersion: tls.VersionTLS12}
		if d.opts.TLS != nil {
			conf = d.opts.TLS.Clone()
		}
		if conf.ServerName == "" {
			conf.ServerName = u.Hostname()
		}
	}
	switch u.Scheme {
	case "unix":
		return d.pulse(new(net.Dialer).DialContext(ctx, "unix", u.Path))
	case "ws", "wss":
		plain := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawQuery: u.RawQuery}
		conn, err := dialWebSocket(ctx, plain.String(), conf)
		if err != nil {
			return nil, err
		}
		return newPulse(conn, d.opts.Timeout, webPiece), nil // [MQTT-6.0.0-2]: packets may be split
	}
	conn, err := d.pulse(mdns.Dial(ctx, new(net.Dialer), "tcp", u.Host))
	if err != nil || conf == nil {
		return conn, err
	}
	t := tls.Client(conn, conf)
	if err := t.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return t, nil
}

// webPiece is how much must leave within the limit on a WebSocket, which does not say
// how much of a message has left. 13 kbit/s do with the default.
const webPiece = 16 << 10

// pulse lets writes on a connection that was opened last as long as bytes leave.
func (d *dialer) pulse(conn net.Conn, err error) (net.Conn, error) {
	if err != nil {
		return nil, err
	}
	return newPulse(conn, d.opts.Timeout, 0), nil
}

// credentials are those of the URL in use, else of the options.
func (d *dialer) credentials(where string) (user, password string) {
	for _, s := range d.opts.URLs {
		u, err := brokerurl.Parse(s)
		if err != nil || u.User == nil || (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String() != where {
			continue
		}
		password, given := u.User.Password()
		if !given {
			password = d.opts.Password
		}
		return u.User.Username(), password
	}
	return d.opts.Username, d.opts.Password
}
