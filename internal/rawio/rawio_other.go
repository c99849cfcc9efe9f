//go:build !linux

package rawio

import "syscall"

// supported is false: what is done here only saves time.
const supported = false

func read(uintptr, []byte) (n int, errno syscall.Errno) { return 0, syscall.EINVAL }

func writev(uintptr, [][]byte) (n int, errno syscall.Errno) { return 0, syscall.EINVAL }
