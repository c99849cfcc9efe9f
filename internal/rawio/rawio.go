// Package rawio reads and writes sockets with system calls that the scheduler is not
// told of. They return at once, so the scheduler has nothing to do; told of each, it
// would wake the runtime's monitor thread for every picture.
package rawio

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
)

// Conn returns a connection that reads c like this, or c where that cannot be done.
func Conn(c net.Conn) net.Conn {
	sock, ok := c.(syscall.Conn)
	if !ok || !supported {
		return c
	}
	raw, err := sock.SyscallConn()
	if err != nil {
		return c
	}
	r := &conn{Conn: c, raw: raw}
	r.take = func(fd uintptr) bool {
		r.n, r.errno = read(fd, r.into)
		return r.errno != syscall.EAGAIN
	}
	return r
}

type conn struct {
	net.Conn
	raw syscall.RawConn

	mu    sync.Mutex // held by Read
	into  []byte
	n     int
	errno syscall.Errno
	take  func(fd uintptr) bool // made once, so that a Read allocates nothing
}

// Read waits for bytes or the read deadline.
func (c *conn) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.into = b
	err := c.raw.Read(c.take)
	c.into = nil
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err
	}
	if err == nil && c.errno != 0 {
		err = os.NewSyscallError("read", c.errno)
	}
	switch {
	case err != nil:
		return 0, &net.OpError{Op: "read", Net: c.RemoteAddr().Network(), Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
	case c.n == 0:
		return 0, io.EOF
	}
	return c.n, nil
}

// NetConn returns the connection below.
func (c *conn) NetConn() net.Conn { return c.Conn }

// Write writes what the kernel accepts of some pieces at once, with one call, and
// returns how many bytes these are. It obeys no deadline and does not wait; n is 0 too
// where c is no socket.
func Write(c net.Conn, pieces [][]byte) (n int, err error) {
	sock, ok := c.(syscall.Conn)
	if !ok || !supported {
		return 0, nil
	}
	raw, err := sock.SyscallConn()
	if err != nil {
		return 0, err
	}
	var errno syscall.Errno
	if err := raw.Control(func(fd uintptr) { n, errno = writev(fd, pieces) }); err != nil {
		return 0, err
	}
	if errno != 0 && errno != syscall.EAGAIN {
		return 0, os.NewSyscallError("writev", errno)
	}
	return n, nil
}
