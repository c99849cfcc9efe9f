package link

import (
	"net"
	"syscall"
)

// tcpNotSentLowAt is TCP_NOTSENT_LOWAT of linux/tcp.h, which package syscall
// does not name.
const tcpNotSentLowAt = 25

// keepUnsentSmall makes the kernel take only about a picture's worth of bytes
// ahead of the network. Otherwise its send buffer, megabytes on a slow line,
// holds seconds of old pictures in front of the newest one. It is a wish: a
// kernel that refuses it costs freshness, not pictures.
func keepUnsentSmall(conn net.Conn) {
	tcp := raw(conn)
	if tcp == nil {
		return
	}
	sock, err := tcp.SyscallConn()
	if err != nil {
		return
	}
	_ = sock.Control(func(fd uintptr) {
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpNotSentLowAt, 64<<10)
	})
}
