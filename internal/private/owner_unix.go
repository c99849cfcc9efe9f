//go:build linux || darwin || freebsd || netbsd || openbsd

package private

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// patient keeps opening a pipe, where a file should be, from waiting for ever.
const patient = syscall.O_NONBLOCK

// Lock makes changes of a file one thing at a time, over all processes, until release
// is called. A process that is killed holds nothing.
func Lock(name string) (release func(), err error) { return lock(name, syscall.LOCK_EX) }

// TryLock is [Lock] for who does not wait: [ErrLocked] where another holds it.
func TryLock(name string) (release func(), err error) {
	return lock(name, syscall.LOCK_EX|syscall.LOCK_NB)
}

func lock(name string, how int) (release func(), err error) {
	// A link would be followed by root into what is not the folder's owner's.
	f, err := os.OpenFile(name+".lock", os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW|patient, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	if err := inherit(f, filepath.Dir(name)); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	for {
		err = syscall.Flock(int(f.Fd()), how)
		if err != syscall.EINTR {
			break
		}
	}
	if err == syscall.EWOULDBLOCK {
		err = ErrLocked
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	return func() { _ = f.Close() }, nil
}

// Trusted reports that somebody else has put a file there, or could have. st is that of
// the open file.
func Trusted(name string, st fs.FileInfo) error {
	dir := filepath.Dir(name)
	folder, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("look at the folder of %s: %w", name, err)
	}
	if folder.Mode()&0o002 != 0 && folder.Mode()&fs.ModeSticky == 0 {
		return fmt.Errorf("everybody on this machine can replace what is in %s, %s too. Try: chmod 700 %s", dir, filepath.Base(name), dir)
	}
	f, ok := st.Sys().(*syscall.Stat_t)
	d, both := folder.Sys().(*syscall.Stat_t)
	if ok && both && f.Uid != 0 && f.Uid != d.Uid && int(f.Uid) != os.Geteuid() {
		return fmt.Errorf("%s belongs to user %d, its folder to user %d: want both to be the same one's. Try: chown --reference=%s %s", name, f.Uid, d.Uid, dir, name)
	}
	return nil
}

// ownLink refuses to have root follow a link of another user, who could have any file
// replaced by it.
func ownLink(name string, info fs.FileInfo) error {
	is, ok := info.Sys().(*syscall.Stat_t)
	if os.Geteuid() != 0 || !ok || is.Uid == 0 {
		return nil
	}
	return fmt.Errorf("%s is a symbolic link of user %d, which root does not follow. Try: as that user, or the file that it leads to", name, is.Uid)
}

// inherit gives a file that root makes to the owner of its folder: what is added with
// sudo shall be of use to a hub that is not root. A file that has another name
// elsewhere was put there by that owner, and is not given to him.
func inherit(f *os.File, dir string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	st, err := os.Stat(dir)
	if err != nil {
		return err
	}
	own, err := f.Stat()
	if err != nil {
		return err
	}
	if is, ok := own.Sys().(*syscall.Stat_t); !ok || !own.Mode().IsRegular() || is.Nlink != 1 {
		return fmt.Errorf("%s is a link or no ordinary file: want it removed", f.Name())
	}
	if owner, ok := st.Sys().(*syscall.Stat_t); ok && owner.Uid != 0 {
		return f.Chown(int(owner.Uid), int(owner.Gid))
	}
	return nil
}
