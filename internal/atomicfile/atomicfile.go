// Package atomicfile writes files whole: a reader finds the old content or the new one,
// never a part, also after a crash. It follows symbolic links, keeps the mode of a file
// that exists, and never puts a file in the place of a device, a pipe or a folder.
package atomicfile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
)

// NewSuffix is in the name of a file that is being written, after the name of the file
// that it replaces.
const NewSuffix = ".new-"

// Options says how [Replace] writes. The zero value makes files as the umask wants them.
type Options struct {
	// Mode is that of the new file; 0 keeps the mode of a file that exists, and leaves
	// that of a new one to the umask.
	Mode fs.FileMode
	// Sync waits until the content and the name are on the disk.
	Sync bool
	// Prepare is called with the new file before anything is written to it.
	Prepare func(*os.File) error
}

// Write writes data to the file that a user has named, as a shell's > does: through
// symbolic links, into devices and into named pipes, whose reader it waits for until ctx
// is done. A regular file is replaced at once; where its folder cannot be written to, or
// the file is a mount point, it is overwritten in place.
func Write(ctx context.Context, name string, data []byte) error {
	target, kind, err := resolve(name)
	switch {
	case err != nil:
		return fmt.Errorf("write %s: %w", name, err)
	case kind == open:
		err = writeSpecial(ctx, target, 0, data)
	case kind == special:
		err = writeSpecial(ctx, target, noFollow, data)
	default:
		err = Replace(target, Options{}, data)
		if kind == regular && inPlace(err) {
			err = overwrite(target, data)
		}
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// inPlace reports whether a file may be writable that cannot be replaced.
func inPlace(err error) bool {
	for _, e := range []error{fs.ErrPermission, syscall.EBUSY, syscall.EXDEV, syscall.EROFS} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

func overwrite(name string, data []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_TRUNC|noFollow, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

// Replace puts parts, one after the other, into a regular file. It does not follow a
// symbolic link in the place of the file, see [Target].
func Replace(name string, o Options, parts ...[]byte) (err error) {
	dir := filepath.Dir(name)
	mode := fs.FileMode(0o666) // less the umask
	info, err := replaceable(name)
	if err != nil {
		return err
	}
	keep := o.Mode
	if keep == 0 && info != nil {
		keep = info.Mode().Perm()
	}
	if keep != 0 {
		mode = 0o600 // until it has its own
	}
	f, err := create(name, mode)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	if o.Prepare != nil {
		if err := o.Prepare(f); err != nil {
			return err
		}
	}
	for _, part := range parts {
		if _, err := f.Write(part); err != nil {
			return err
		}
	}
	if err := finish(f, keep, o.Sync); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), name); err != nil {
		return err
	}
	if o.Sync {
		return SyncFolder(dir)
	}
	return nil
}

// Move renames a file that is written to the place of a regular one, or of none.
func Move(from, to string) error {
	if _, err := replaceable(to); err != nil {
		return err
	}
	return os.Rename(from, to)
}

// replaceable returns what is known of a regular file, and nil where there is none.
func replaceable(name string) (fs.FileInfo, error) {
	info, err := os.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, &fs.PathError{Op: "replace", Path: name, Err: notRegular(info.Mode())}
	}
	return info, nil
}

// finish gives a file its mode and closes it.
func finish(f *os.File, mode fs.FileMode, sync bool) error {
	if mode != 0 && runtime.GOOS != "windows" {
		if err := f.Chmod(mode); err != nil {
			return err
		}
	}
	if sync {
		if err := f.Sync(); err != nil {
			return err
		}
	}
	return f.Close()
}

// create makes a new file beside the one that it replaces.
func create(name string, mode fs.FileMode) (*os.File, error) {
	const tries = 100
	for n := 0; ; n++ {
		f, err := os.OpenFile(name+NewSuffix+strconv.FormatUint(rand.Uint64(), 36), os.O_RDWR|os.O_CREATE|os.O_EXCL, mode)
		if err == nil || !errors.Is(err, fs.ErrExist) || n == tries {
			return f, err
		}
	}
}

// SyncFolder makes renames in a folder last. Windows has no such call.
func SyncFolder(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
