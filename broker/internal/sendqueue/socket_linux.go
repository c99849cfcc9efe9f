package sendqueue

import (
	"io"
	"net"
	"syscall"
	"unsafe"

	"camqtt/internal/sendbuffer"
)

// pollFD is struct pollfd of poll(2).
type pollFD struct {
	fd      int32
	events  int16
	revents int16
}

const pollOut = 4 // POLLOUT

// Socket writes to a socket without ever blocking, and reads from it. Its system
// calls are raw ones: they return at once, and telling the scheduler of each would wake
// the runtime's monitor thread for every burst of pictures.
type Socket struct {
	raw  syscall.RawConn
	iov  [3]syscall.Iovec
	used int
	n    int
	err  syscall.Errno
	call func(fd uintptr) bool // made once, so that a try allocates nothing
	poll pollFD
	room func(fd uintptr) bool

	into    []byte
	got     int
	readErr syscall.Errno
	take    func(fd uintptr) bool
}

// newSocket prepares a socket for tries. nil: it cannot be had.
func newSocket(c syscall.Conn) *Socket {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil
	}
	if socket, ok := c.(net.Conn); ok {
		sendbuffer.Limit(socket, UnsentBytes)
	}
	a := &Socket{raw: raw}
	a.call = func(fd uintptr) bool {
		for {
			n, _, e := syscall.RawSyscall(syscall.SYS_WRITEV, fd, uintptr(unsafe.Pointer(&a.iov[0])), uintptr(a.used))
			if e != syscall.EINTR {
				a.n, a.err = int(n), e
				return true
			}
		}
	}
	a.take = func(fd uintptr) bool {
		for {
			n, _, e := syscall.RawSyscall(syscall.SYS_READ, fd, uintptr(unsafe.Pointer(&a.into[0])), uintptr(len(a.into)))
			if e != syscall.EINTR {
				a.got, a.readErr = int(n), e
				return e != syscall.EAGAIN
			}
		}
	}
	a.room = func(fd uintptr) bool {
		var now syscall.Timespec
		a.poll = pollFD{fd: int32(fd), events: pollOut}
		n, _, e := syscall.RawSyscall6(syscall.SYS_PPOLL, uintptr(unsafe.Pointer(&a.poll)), 1, uintptr(unsafe.Pointer(&now)), 0, 0, 0)
		return e != 0 || n != 0 // an error shows in the write that follows
	}
	return a
}

// write sends as much of the parts as the socket takes now. n is 0 when it takes
// nothing. One caller at a time.
func (a *Socket) write(parts [3][]byte) (n int, err error) {
	a.used = 0
	for _, p := range parts {
		if len(p) > 0 {
			a.iov[a.used].Base = &p[0]
			a.iov[a.used].SetLen(len(p))
			a.used++
		}
	}
	err = a.raw.Write(a.call)
	a.iov = [3]syscall.Iovec{}
	switch {
	case err != nil:
		return 0, err
	case a.err == syscall.EAGAIN:
		return 0, nil
	case a.err != 0:
		return 0, a.err
	}
	return a.n, nil
}

// ready waits until the socket takes bytes again or its write deadline has passed.
// Whether it does already is asked first: what the kernel has reported since write was
// called is forgotten here, and it does not report it twice. The question also makes it
// report when room comes. One caller at a time, and none in write.
func (a *Socket) ready() error { return a.raw.Write(a.room) }

// Read is Read of the socket: it waits for bytes or the read deadline. One caller at a
// time; it may run beside write.
func (a *Socket) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	a.into = p
	err := a.raw.Read(a.take)
	a.into = nil
	switch {
	case err != nil:
		return 0, err
	case a.readErr != 0:
		return 0, a.readErr
	case a.got == 0:
		return 0, io.EOF
	}
	return a.got, nil
}
