//go:build linux || darwin || freebsd || netbsd || openbsd

package securefile

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// nonBlocking keeps open from blocking on a named pipe in the place of a file.
const nonBlocking = syscall.O_NONBLOCK

// Lock excludes other processes from changing a file until release is called. The kernel
// releases the lock of a killed process.
func Lock(name string) (release func(), err error) { return lock(name, syscall.LOCK_EX) }

// TryLock is [Lock] without waiting. It returns [ErrLocked] if another process holds the lock.
func TryLock(name string) (release func(), err error) {
	return lock(name, syscall.LOCK_EX|syscall.LOCK_NB)
}

func lock(name string, how int) (release func(), err error) {
	// Root must not follow a link out of the folder of another user.
	f, err := os.OpenFile(name+".lock", os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW|nonBlocking, 0o600)
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

// CheckOwner refuses a file that another user has put there, or could have. st describes
// the open file.
func CheckOwner(name string, st fs.FileInfo) error {
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

// ownLink refuses a link of another user for root: it could make root replace any file.
func ownLink(name string, info fs.FileInfo) error {
	is, ok := info.Sys().(*syscall.Stat_t)
	if os.Geteuid() != 0 || !ok || is.Uid == 0 {
		return nil
	}
	return fmt.Errorf("%s is a symbolic link of user %d, which root does not follow. Try: as that user, or the file that it leads to", name, is.Uid)
}

// inherit gives a file that root creates to the owner of its folder, so that a hub that does
// not run as root can use what sudo has added. A file with a second hard link is refused:
// the owner of the folder could have linked a file of another user there.
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
