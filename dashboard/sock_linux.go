package dashboard

import (
	"net"
	"syscall"
	"unsafe"
)

// tcpNotSentLowat is TCP_NOTSENT_LOWAT of linux/tcp.h, which package syscall lacks.
const tcpNotSentLowat = 25

// unsentBytes is how much the kernel may hold of a connection that has not left yet.
const unsentBytes = 64 << 10

// keepUnsentSmall keeps old pictures out of the kernel's send buffer, which would
// otherwise hold seconds of them in front of the newest on a slow line. It is a
// wish: where it is refused pictures are older, not lost.
func keepUnsentSmall(c net.Conn) {
	tcp := tcpOf(c)
	if tcp == nil {
		return
	}
	_ = tcp.SetNoDelay(true)
	if raw, err := tcp.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) {
			_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpNotSentLowat, unsentBytes)
		})
	}
}

// awaitRoom waits until the kernel takes bytes of c again or its write deadline has
// passed, so that the picture to send can be chosen at the last moment.
func awaitRoom(c net.Conn) error {
	tcp := tcpOf(c)
	if tcp == nil {
		return nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Write(hasRoom)
}

// pollFD is struct pollfd of poll(2).
type pollFD struct {
	fd      int32
	events  int16
	revents int16
}

const pollOut = 4 // POLLOUT

// hasRoom asks poll(2), which obeys the mark that keepUnsentSmall sets. The question
// also makes the kernel report when room comes, so no change is missed.
func hasRoom(fd uintptr) bool {
	p := pollFD{fd: int32(fd), events: pollOut}
	var now syscall.Timespec
	n, _, e := syscall.Syscall6(syscall.SYS_PPOLL, uintptr(unsafe.Pointer(&p)), 1, uintptr(unsafe.Pointer(&now)), 0, 0, 0)
	return e != 0 || n != 0 // an error shows in the write that follows
}
