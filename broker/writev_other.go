//go:build !linux

package broker

import (
	"errors"
	"syscall"
)

// attempt would write to a socket without blocking. Elsewhere than on Linux a
// goroutine does the writing.
type attempt struct{}

func newAttempt(syscall.Conn) *attempt { return nil }

func (*attempt) write([3][]byte) (int, error) { return 0, errors.ErrUnsupported }

func (*attempt) ready() error { return errors.ErrUnsupported }

func (*attempt) read([]byte) (int, error) { return 0, errors.ErrUnsupported }
