//go:build linux || darwin || freebsd || netbsd || openbsd

package messagestore

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// lockFolder makes a folder this process's own until release is called or the process
// ends, in whatever manner.
func lockFolder(dir string) (release func(), err error) {
	name := filepath.Join(dir, lockFile)
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600) // it is truncated
	if err != nil {
		return nil, fmt.Errorf("lock the data folder: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		owner, _ := io.ReadAll(io.LimitReader(f, 20))
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("data folder %s is in use by another broker, process %s: want a folder of its own for each", dir, strings.TrimSpace(string(owner)))
		}
		return nil, fmt.Errorf("lock the data folder %s: %w", dir, err)
	}
	_ = f.Truncate(0)
	_, _ = fmt.Fprintln(f, os.Getpid()) // for the message above, nothing depends on it
	return func() { _ = f.Close() }, nil
}
