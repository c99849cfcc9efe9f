package broker

import (
	"crypto/tls"
	"fmt"
	"net"
	"sync"
)

// NewTLSListener is [tls.NewListener] for [Options].Listeners and for whoever brings
// connections to [Broker.Attach]: the TLS records of one packet, four for a picture of
// 50 KB, leave in one system call. TCP only; other connections are left as they are.
func NewTLSListener(l net.Listener, conf *tls.Config) net.Listener {
	return tls.NewListener(gatheringListener{l}, conf)
}

type gatheringListener struct{ net.Listener }

// Accept wraps what was accepted.
func (l gatheringListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if t, ok := c.(*net.TCPConn); ok && err == nil {
		return &gatheringConn{TCPConn: t}, nil
	}
	return c, err
}

// gatheringConn is what lies beneath a TLS connection. While it gathers, records wait.
// Handshakes, and alerts that the reading side sends, pass it in order like all else.
type gatheringConn struct {
	*net.TCPConn

	mu  sync.Mutex
	on  bool
	buf []byte
}

// NetConn is the connection beneath.
func (g *gatheringConn) NetConn() net.Conn { return g.TCPConn }

// Write sends a record, or keeps it until the flush.
func (g *gatheringConn) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.on {
		g.buf = append(g.buf, p...)
		return len(p), nil
	}
	return g.TCPConn.Write(p)
}

// gather makes records wait in space.
func (g *gatheringConn) gather(space []byte) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.on, g.buf = true, space[:0]
}

// flush sends what waits, and returns the space for others to use.
func (g *gatheringConn) flush() (space []byte, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	space = g.buf
	g.on, g.buf = false, nil
	if len(space) > 0 {
		_, err = g.TCPConn.Write(space)
	}
	return space, err
}

// gatherer gives what gathers beneath a line, or nil.
func gatherer(line net.Conn) *gatheringConn {
	if t, ok := line.(*tls.Conn); ok {
		if g, ok := t.NetConn().(*gatheringConn); ok {
			return g
		}
	}
	return nil
}

// writeGathered writes a piece to a TLS line and sends its records together.
func (c *conn) writeGathered(g *gatheringConn, piece []byte) error {
	space := c.b.space()
	defer c.b.records.Put(space)
	g.gather(*space)
	_, err := c.line.Write(piece)
	buf, flushErr := g.flush()
	*space = buf
	if err == nil {
		err = flushErr
	}
	return err
}

// space gives room for records, from the last who had some.
func (b *Broker) space() *[]byte {
	if s, ok := b.records.Get().(*[]byte); ok {
		return s
	}
	return new([]byte)
}

// other serves a protocol that is not MQTT, if the client has asked for one. The
// deadlines of a new connection bound the handshake.
func (c *conn) other() (served bool, err error) {
	t, ok := c.line.(*tls.Conn)
	if !ok || c.framed != nil || len(c.b.protocols) == 0 {
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
