//go:build linux || darwin || freebsd || netbsd || openbsd

package access

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// lock makes a file's changes one thing at a time, over all processes.
func lock(name string) (release func(), err error) {
	f, err := os.OpenFile(name+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the accounts file: %w", err)
	}
	if err := inherit(f, filepath.Dir(name)); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock the accounts file: %w", err)
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if err != syscall.EINTR {
			break
		}
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock the accounts file: %w", err)
	}
	return func() { _ = f.Close() }, nil
}

// inherit gives a file that root makes to the owner of its folder: an account added
// with sudo shall be of use to a hub that is not root.
func inherit(f *os.File, dir string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	st, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if owner, ok := st.Sys().(*syscall.Stat_t); ok && owner.Uid != 0 {
		return f.Chown(int(owner.Uid), int(owner.Gid))
	}
	return nil
}
