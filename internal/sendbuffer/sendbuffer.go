// Package sendbuffer keeps the kernel's send buffers short, so that a new picture does
// not wait behind seconds of old ones on a slow connection.
package sendbuffer

import (
	"net"
	"syscall"
)

// Limit bounds the bytes that the kernel accepts before they leave. A kernel that
// refuses sends older pictures, but loses none.
func Limit(c net.Conn, bytes int) {
	if tcp := TCP(c); tcp != nil {
		limit(tcp, bytes)
	}
}

// AwaitRoom waits until the kernel accepts bytes of c or the write deadline of c has
// passed. A caller can then choose the newest picture just before it writes.
func AwaitRoom(c net.Conn) error {
	tcp := TCP(c)
	if tcp == nil {
		return nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Write(hasRoom)
}

// TCP returns the TCP connection below TLS, a WebSocket or another wrapper, or nil.
func TCP(c net.Conn) *net.TCPConn {
	for c != nil {
		switch t := c.(type) {
		case *net.TCPConn:
			return t
		case interface{ NetConn() net.Conn }:
			c = t.NetConn()
		default:
			return nil
		}
	}
	return nil
}

func limit(c syscall.Conn, bytes int) {
	if raw, err := c.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { setLimit(fd, bytes) })
	}
}
