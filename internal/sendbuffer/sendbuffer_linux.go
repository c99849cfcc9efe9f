package sendbuffer

import "golang.org/x/sys/unix"

func setLimit(fd uintptr, bytes int) {
	_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, bytes)
}

// hasRoom asks poll(2), which obeys TCP_NOTSENT_LOWAT. The call also arms the
// notification that ends the wait, so no change is missed.
func hasRoom(fd uintptr) bool {
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, 0)
	return n != 0 || err != nil // the write that follows reports the error
}
