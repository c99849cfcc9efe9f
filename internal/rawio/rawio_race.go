//go:build linux && race

package rawio

import (
	"errors"
	"syscall"
)

const supported = true

// read is read(2) by package syscall, which tells the race detector that what the other
// side did before its write happened before.
func read(fd uintptr, b []byte) (n int, errno syscall.Errno) {
	n, err := syscall.Read(int(fd), b)
	if errors.As(err, &errno) {
		return 0, errno
	}
	return n, 0
}

// writev writes pieces by package syscall, for the same reason.
func writev(fd uintptr, pieces [][]byte) (n int, errno syscall.Errno) {
	for _, p := range pieces {
		m, err := syscall.Write(int(fd), p)
		if errors.As(err, &errno) {
			if n > 0 {
				return n, 0
			}
			return 0, errno
		}
		if n += m; m < len(p) {
			break
		}
	}
	return n, 0
}
