// Package private keeps files that nobody but their owner may read, and that several
// processes change. It owns how such a file is replaced, so that a crash leaves the old
// one or the new one whole, who changes it at a time, and whether it can be trusted to be
// its owner's. It never looks into one.
package private

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// ErrLocked is what [TryLock] returns while somebody else holds the lock.
var ErrLocked = errors.New("another process holds it")

// Open opens a file for reading, and does not wait where somebody has put a pipe in its
// place. What is not an ordinary file is for the caller to refuse.
func Open(name string) (*os.File, error) { return os.OpenFile(name, os.O_RDONLY|patient, 0) }

// newSuffix is in the name of a file being written.
const newSuffix = ".new-"

// Replace puts the parts of a text into a file in such a way that a crash leaves the
// old one or the new one whole, readable for its owner only.
func Replace(name string, text ...[]byte) (err error) {
	dir := filepath.Dir(name)
	f, err := os.CreateTemp(dir, filepath.Base(name)+newSuffix+"*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	if err := inherit(f, dir); err != nil {
		return err
	}
	for _, part := range text {
		if _, err := f.Write(part); err != nil {
			return err
		}
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), name); err != nil {
		return err
	}
	return SyncFolder(dir)
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

// Sweep removes what a crash left half written of a file. The caller holds its lock.
func Sweep(name string) { sweep(filepath.Dir(name), filepath.Base(name)+newSuffix) }

// SweepFolder removes what a crash left half written of any file in a folder. The
// caller is the only one who writes there.
func SweepFolder(dir string) { sweep(dir, newSuffix) }

// sweep removes the files of a folder whose names have a part in them.
func sweep(dir, part string) {
	all, err := os.ReadDir(dir)
	if err != nil {
		return // writing will say so
	}
	for _, f := range all {
		if f.Type().IsRegular() && strings.Contains(f.Name(), part) {
			_ = os.Remove(filepath.Join(dir, f.Name()))
		}
	}
}
