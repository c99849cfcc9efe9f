//go:build !linux

package sendqueue

import (
	"errors"
	"syscall"
)

// Socket would write to a socket without blocking. Elsewhere than on Linux a
// goroutine does the writing.
type Socket struct{}

func newSocket(syscall.Conn) *Socket { return nil }

func (*Socket) write([3][]byte) (int, error) { return 0, errors.ErrUnsupported }

func (*Socket) ready() error { return errors.ErrUnsupported }

func (*Socket) read([]byte) (int, error) { return 0, errors.ErrUnsupported }
