//go:build linux || darwin || freebsd || netbsd || openbsd

package private

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// Lock makes changes of a file one thing at a time, over all processes, until release
// is called. A process that is killed holds nothing.
func Lock(name string) (release func(), err error) {
	f, err := os.OpenFile(name+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	if err := inherit(f, filepath.Dir(name)); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if err != syscall.EINTR {
			break
		}
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	return func() { _ = f.Close() }, nil
}

// inherit gives a file that root makes to the owner of its folder: what is added with
// sudo shall be of use to a hub that is not root.
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
