package mqttclient

import (
	"errors"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// writeNow writes what the kernel takes of some pieces without waiting, in one call, and
// returns the rest.
func writeNow(conn net.Conn, pieces [][]byte) (rest [][]byte, err error) {
	sock, ok := conn.(syscall.Conn)
	if !ok {
		return pieces, nil
	}
	// Not RawConn.Write, which fails when the deadline of an earlier write has passed.
	raw, err := sock.SyscallConn()
	if err != nil {
		return nil, err
	}
	n := 0
	var failed error
	if err := raw.Control(func(fd uintptr) { n, failed = unix.Writev(int(fd), pieces) }); err != nil {
		return nil, err
	}
	if failed != nil {
		if !errors.Is(failed, unix.EAGAIN) && !errors.Is(failed, unix.EINTR) {
			return nil, failed
		}
		n = 0
	}
	for _, b := range pieces {
		taken := min(n, len(b))
		if n -= taken; taken < len(b) {
			rest = append(rest, b[taken:])
		}
	}
	return rest, nil
}
