package cli

import (
	"os"
	"syscall"
	"unsafe"
)

// silence keeps a terminal from showing what is typed until restore is called. false:
// f is no terminal.
func silence(f *os.File) (restore func(), ok bool) {
	var before syscall.Termios
	ask := func(request uintptr, t *syscall.Termios) bool {
		_, _, e := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), request, uintptr(unsafe.Pointer(t)))
		return e == 0
	}
	if !ask(syscall.TCGETS, &before) {
		return nil, false
	}
	quiet := before
	quiet.Lflag &^= syscall.ECHO
	if !ask(syscall.TCSETS, &quiet) {
		return nil, false
	}
	return func() { ask(syscall.TCSETS, &before) }, true
}
