//go:build linux && !race

package rawio

import (
	"syscall"
	"unsafe"
)

const supported = true

// read is read(2) into b, which is not empty.
func read(fd uintptr, b []byte) (n int, errno syscall.Errno) {
	for {
		n, _, errno := syscall.RawSyscall(syscall.SYS_READ, fd, uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
		switch errno {
		case syscall.EINTR:
		case 0:
			return int(n), 0
		default:
			return 0, errno
		}
	}
}

// mostPieces is how many pieces one call takes here; the kernel takes 1024.
const mostPieces = 4

// writev is writev(2) of the first pieces.
func writev(fd uintptr, pieces [][]byte) (n int, errno syscall.Errno) {
	var vector [mostPieces]syscall.Iovec
	used := 0
	for _, p := range pieces[:min(len(pieces), mostPieces)] {
		if len(p) > 0 {
			vector[used].Base = &p[0]
			vector[used].SetLen(len(p))
			used++
		}
	}
	for {
		n, _, errno := syscall.RawSyscall(syscall.SYS_WRITEV, fd, uintptr(unsafe.Pointer(&vector)), uintptr(used))
		switch errno {
		case syscall.EINTR:
		case 0:
			return int(n), 0
		default:
			return 0, errno
		}
	}
}
