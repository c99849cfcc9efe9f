package dashboard

import (
	"net"
)

// tcpOf digs out the TCP connection below TLS, or returns nil.
func tcpOf(c net.Conn) *net.TCPConn {
	for c != nil {
		switch t := c.(type) {
		case *net.TCPConn:
			return t
		case interface{ NetConn() net.Conn }: // *tls.Conn
			c = t.NetConn()
		default:
			return nil
		}
	}
	return nil
}
