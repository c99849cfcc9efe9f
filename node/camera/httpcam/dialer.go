package httpcam

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"time"

	"camqtt/internal/mdns"
	"camqtt/internal/rawio"
)

// dialer makes the connections of one Stream and can close them all, also those
// that http.Transport still holds or is still making.
type dialer struct {
	ctx    context.Context // done when closed; dials end with it
	cancel context.CancelFunc
	wg     sync.WaitGroup // of dials under way
	limit  time.Duration  // of one
	// unmeasured says whether the lengths that the camera states are wrong.
	unmeasured func() bool

	mu    sync.Mutex
	conns map[*trackedConn]struct{} // nil when closed
}

func newDialer(limit time.Duration) *dialer {
	d := &dialer{conns: map[*trackedConn]struct{}{}, limit: limit, unmeasured: func() bool { return false }}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	return d
}

// transport connects directly, without a proxy: cameras are near. It asks for no
// compression, which JPEG does not yield to, and speaks HTTP/1 only. The
// configuration of TLS may be nil.
func (d *dialer) transport(c *tls.Config) *http.Transport {
	return &http.Transport{
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := d.dial(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return &lenientConn{Conn: conn, unmeasured: d.unmeasured}, nil
		},
		DialTLSContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := d.dialTLS(ctx, addr, c)
			if err != nil {
				return nil, err
			}
			return &lenientConn{Conn: conn, unmeasured: d.unmeasured}, nil
		},
		MaxResponseHeaderBytes: maxHeader,
		MaxConnsPerHost:        1,
		DisableCompression:     true,
	}
}

// dialTLS makes a connection with TLS. One error of the handshake is told by its
// type, so none is wrapped.
func (d *dialer) dialTLS(ctx context.Context, addr string, c *tls.Config) (net.Conn, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	conn, err := d.dial(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	if c = c.Clone(); c == nil {
		c = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	c.ServerName = host
	secure := tls.Client(conn, c)
	ctx, cancel := context.WithTimeout(ctx, d.limit)
	defer cancel()
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return secure, nil
}

func (d *dialer) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	d.mu.Lock()
	if d.conns == nil {
		d.mu.Unlock()
		return nil, net.ErrClosed
	}
	d.wg.Add(1)
	d.mu.Unlock()
	defer d.wg.Done()
	ctx, cancel := context.WithTimeout(ctx, d.limit)
	defer cancel()
	defer context.AfterFunc(d.ctx, cancel)()
	c, err := mdns.Dial(ctx, &net.Dialer{KeepAlive: 15 * time.Second}, network, addr)
	if err != nil {
		return nil, err
	}
	t := &trackedConn{Conn: rawio.Conn(c), of: d}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.conns == nil {
		c.Close()
		return nil, net.ErrClosed
	}
	d.conns[t] = struct{}{}
	return t, nil
}

// close ends every dial and connection, and waits for that.
func (d *dialer) close() {
	d.mu.Lock()
	conns := d.conns
	d.conns = nil
	d.mu.Unlock()
	d.cancel()
	d.wg.Wait()
	for c := range conns {
		c.Conn.Close()
	}
}

type trackedConn struct {
	net.Conn
	of *dialer
}

// Close closes the connection and forgets it.
func (c *trackedConn) Close() error {
	c.of.mu.Lock()
	delete(c.of.conns, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}
