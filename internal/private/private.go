// Package private keeps files that nobody but their owner may read, and that several
// processes change. It owns how such a file is replaced, so that a crash leaves the old
// one or the new one whole, who changes it at a time, and whether it can be trusted to be
// its owner's. It never looks into one.
package private

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"camqtt/internal/atomicfile"
)

// ErrLocked is what [TryLock] returns while somebody else holds the lock.
var ErrLocked = errors.New("another process holds it")

// Open opens a file for reading, and does not wait where somebody has put a pipe in its
// place. What is not an ordinary file is for the caller to refuse.
func Open(name string) (*os.File, error) { return os.OpenFile(name, os.O_RDONLY|patient, 0) }

// Replace puts the parts of a text into a file in such a way that a crash leaves the
// old one or the new one whole, readable for its owner only. A symbolic link is followed
// where its owner is one who may replace the file anyway.
func Replace(name string, text ...[]byte) error { return replace(name, true, text) }

// ReplaceSoon is [Replace] for what is of no use after a crash of the machine: it does not
// wait for the disk.
func ReplaceSoon(name string, text ...[]byte) error { return replace(name, false, text) }

func replace(name string, wait bool, text [][]byte) error {
	target, err := atomicfile.Target(name, ownLink)
	if err != nil {
		return err
	}
	o := atomicfile.Options{Mode: 0o600, Sync: wait, Prepare: func(f *os.File) error { return inherit(f, filepath.Dir(target)) }}
	return atomicfile.Replace(target, o, text...)
}

// Rename moves a file that is written to the place of another, as [Replace] does with a
// text.
func Rename(from, to string) error {
	target, err := atomicfile.Target(to, ownLink)
	if err != nil {
		return err
	}
	if err := atomicfile.Move(from, target); err != nil {
		return err
	}
	return SyncFolder(filepath.Dir(target))
}

// SyncFolder makes renames in a folder last. Windows has no such call.
func SyncFolder(dir string) error { return atomicfile.SyncFolder(dir) }

// Sweep removes what a crash left half written of a file. The caller holds its lock.
func Sweep(name string) {
	if target, err := atomicfile.Target(name, ownLink); err == nil { // else writing will say so
		sweep(filepath.Dir(target), filepath.Base(target)+atomicfile.NewSuffix)
	}
}

// SweepFolder removes what a crash left half written of any file in a folder. The
// caller is the only one who writes there.
func SweepFolder(dir string) { sweep(dir, atomicfile.NewSuffix) }

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
