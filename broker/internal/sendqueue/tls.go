package sendqueue

import (
	"crypto/tls"
	"net"
	"sync"
	"syscall"
)

// NewTLSListener is [tls.NewListener] for connections that a [Sender] writes to: the TLS
// records of one packet, four for a picture of 50 KB, leave in one system call. TCP only;
// other connections are left as they are.
func NewTLSListener(l net.Listener, conf *tls.Config) net.Listener {
	return tls.NewListener(batchListener{l}, conf)
}

type batchListener struct{ net.Listener }

// Accept wraps what was accepted.
func (l batchListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if t, ok := c.(*net.TCPConn); ok && err == nil {
		return &batchConn{TCPConn: t}, nil
	}
	return c, err
}

// batchConn is what lies beneath a TLS connection. While it gathers, records wait.
// Handshakes, and alerts that the reading side sends, pass it in order like all else.
type batchConn struct {
	*net.TCPConn

	mu  sync.Mutex
	on  bool
	buf []byte
}

// NetConn is the connection beneath.
func (g *batchConn) NetConn() net.Conn { return g.TCPConn }

// Write sends a record, or keeps it until the flush.
func (g *batchConn) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.on {
		g.buf = append(g.buf, p...)
		return len(p), nil
	}
	return g.TCPConn.Write(p)
}

// gather makes records wait in space.
func (g *batchConn) gather(space []byte) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.on, g.buf = true, space[:0]
}

// flush sends what waits, and returns the space for others to use.
func (g *batchConn) flush() (space []byte, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	space = g.buf
	g.on, g.buf = false, nil
	if len(space) > 0 {
		_, err = g.TCPConn.Write(space)
	}
	return space, err
}

// beneath gives the socket below a line, if it can be written to without blocking, or
// what collects the TLS records above it. It bounds what the kernel keeps of either.
func beneath(line net.Conn) (*Socket, *batchConn) {
	t, encrypted := line.(*tls.Conn)
	if !encrypted {
		if s, ok := line.(syscall.Conn); ok {
			return newSocket(s), nil
		}
		return nil, nil
	}
	if s, ok := t.NetConn().(syscall.Conn); ok {
		newSocket(s) // encrypted bytes are not written to it, but the kernel's bound counts here too
	}
	b, _ := t.NetConn().(*batchConn)
	return nil, b
}

// writeBatch writes a piece to a TLS line and sends its records together.
func (s *Sender) writeBatch(piece []byte) (int, error) {
	space := s.line.Records.get()
	defer s.line.Records.put(space)
	s.gather.gather(*space)
	n, err := s.line.Write(piece)
	buf, flushErr := s.gather.flush()
	*space = buf
	if err == nil {
		err = flushErr
	}
	return n, err
}

// Records are buffers for encrypted or framed packets, which connections share. The zero
// value is ready.
type Records struct{ pool sync.Pool } // of *[]byte

func (r *Records) get() *[]byte {
	if b, ok := r.pool.Get().(*[]byte); ok {
		return b
	}
	return new([]byte)
}

func (r *Records) put(b *[]byte) { r.pool.Put(b) }
