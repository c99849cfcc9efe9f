package broker

import (
	"crypto/tls"
	"fmt"
	"net"

	"camqtt/broker/internal/sendqueue"
)

// NewTLSListener is [tls.NewListener] for [Options].Listeners and for connections given to
// [Broker.Attach]: the TLS records of one packet leave in one system call.
func NewTLSListener(l net.Listener, conf *tls.Config) net.Listener {
	return sendqueue.NewTLSListener(l, conf)
}

// other serves a protocol that is not MQTT, if the client has asked for one. The
// deadlines of a new connection bound the handshake.
func (c *conn) other() (served bool, err error) {
	t, ok := c.line.(*tls.Conn)
	if !ok || c.framed || len(c.b.protocols) == 0 {
		return false, nil
	}
	if err := t.Handshake(); err != nil {
		return false, err
	}
	serve := c.b.protocols[t.ConnectionState().NegotiatedProtocol]
	if serve == nil {
		return false, nil
	}
	serve(t)
	return true, nil
}

// vouch takes the name that the client's TLS certificate was verified for, on plain
// connections and on WebSockets alike. A client may not give itself another: its
// certificate is its account.
func (c *conn) vouch(user string) error {
	t, ok := c.line.(*tls.Conn)
	if !ok {
		return nil
	}
	s := t.ConnectionState() // CONNECT was read, so the handshake is over
	if len(s.VerifiedChains) == 0 {
		return nil
	}
	c.vouched = s.PeerCertificates[0].Subject.CommonName
	if user != "" && user != c.vouched {
		return fmt.Errorf("its certificate is of %q, but it says it is %q", c.vouched, user)
	}
	return nil
}
