package dashboard

import (
	"log/slog"
	"net"
	"strings"

	"camqtt/internal/ratelog"
)

// plainListener notes TLS that is spoken to a port without it.
type plainListener struct {
	net.Listener
	log *ratelog.Logger
}

// Accept wraps what was accepted.
func (l plainListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if t, ok := c.(*net.TCPConn); ok && err == nil {
		return &plainConn{TCPConn: t, log: l.log}, nil
	}
	return c, err
}

// plainConn looks at the first bytes of a connection. It is a TCP connection in all else.
type plainConn struct {
	*net.TCPConn
	log    *ratelog.Logger
	looked bool // used by the reader only
}

// NetConn returns the connection below.
func (c *plainConn) NetConn() net.Conn { return c.TCPConn }

// PlainTCP returns the same. A WebSocket needs the wrapper no longer.
func (c *plainConn) PlainTCP() *net.TCPConn { return c.TCPConn }

// Read notes a TLS handshake: a record of type 22 and version 3. RFC 8446 section 5.1.
func (c *plainConn) Read(p []byte) (int, error) {
	n, err := c.TCPConn.Read(p)
	if !c.looked && n > 0 {
		c.looked = true
		if p[0] == 22 && (n == 1 || p[1] == 3) {
			c.log.Warn("TLS was spoken to a plain port: use http://, or turn on dashboard.tls", "from", c.RemoteAddr().String())
		}
	}
	return n, err
}

// errorLog is what the HTTP server logs by itself. Failed TLS handshakes are warnings.
type errorLog struct {
	limited *ratelog.Logger
	log     *slog.Logger
}

// Write takes one line.
func (l errorLog) Write(line []byte) (int, error) {
	text := strings.TrimSpace(string(line))
	rest, handshake := strings.CutPrefix(text, "http: TLS handshake error from ")
	from, why, ok := strings.Cut(rest, ": ")
	switch {
	case !handshake || !ok || why == "EOF":
		l.log.Debug(text)
	case strings.Contains(why, "HTTP request to an HTTPS server"), strings.Contains(why, "does not look like a TLS handshake"):
		l.limited.Warn("no TLS was spoken to a TLS port: use https://", "from", from)
	default:
		l.limited.Warn("TLS handshake failed", "from", from, "why", why)
	}
	return len(line), nil
}

// watched wraps a listener so that TLS on a plain port is noted.
func (d *Dashboard) watched(l net.Listener) net.Listener {
	if _, plain := l.(*net.TCPListener); plain {
		return plainListener{Listener: l, log: d.limited}
	}
	return l
}
