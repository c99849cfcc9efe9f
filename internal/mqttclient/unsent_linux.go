package mqttclient

import (
	"net"
	"syscall"
)

// tcpNotSentLowAt is TCP_NOTSENT_LOWAT of linux/tcp.h, which package syscall
// does not name.
const tcpNotSentLowAt = 25

// unsentBytes is how much the kernel may hold that has not left yet: half a second of
// a line of 256 kbit/s. It asks for more when half of it has left.
const unsentBytes = 16 << 10

// keepUnsentSmall keeps old pictures out of the kernel's send buffer, which would
// otherwise hold seconds of them in front of the newest on a slow line. It is a
// wish: a kernel that refuses it costs freshness, not pictures.
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
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpNotSentLowAt, unsentBytes)
	})
}
