// Package securefile reads and writes files. A file is replaced atomically: a crash leaves
// the old content or the new one, never a part. Files with secrets are readable only by
// their owner, and are refused where another user could have written or read them. A file
// that a user names is written as a shell's > writes it. The package interprets no content.
package securefile

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// ErrLocked is what [TryLock] returns while another process holds the lock.
var ErrLocked = errors.New("another process holds it")

// Open opens a file for reading. It does not block on a named pipe in the place of the
// file; the caller refuses what is not a regular file.
func Open(name string) (*os.File, error) { return os.OpenFile(name, os.O_RDONLY|nonBlocking, 0) }

// Replace writes parts, one after the other, to a file with mode 0600, atomically. A
// symbolic link is followed if its owner may replace the target anyway.
func Replace(name string, parts ...[]byte) error {
	return ReplaceFunc(name, func(w io.Writer) error { return writeAll(w, parts) })
}

// ReplaceFunc is [Replace] with the content that write produces.
func ReplaceFunc(name string, write func(io.Writer) error) error {
	return replaceOwned(name, replacement{private: true, sync: true, write: write})
}

// ReplaceUnsynced is [Replace] without waiting for the disk: for content that is of no use
// after a crash of the machine.
func ReplaceUnsynced(name string, parts ...[]byte) error {
	return replaceOwned(name, replacement{private: true, write: func(w io.Writer) error { return writeAll(w, parts) }})
}

func writeAll(w io.Writer, parts [][]byte) error {
	for _, p := range parts {
		if _, err := w.Write(p); err != nil {
			return err
		}
	}
	return nil
}

// replaceOwned replaces the file that a name leads to, and gives it to the owner of its folder.
func replaceOwned(name string, r replacement) error {
	target, err := resolveLinks(name, ownLink)
	if err != nil {
		return err
	}
	r.name = target
	r.prepare = func(f *os.File) error { return inherit(f, filepath.Dir(target)) }
	return r.run()
}

// replacement is one atomic write of a regular file. Symbolic links are not followed.
type replacement struct {
	name    string
	private bool // mode 0600; else that of the file, or what the umask allows
	sync    bool // waits until content and name are on the disk
	prepare func(*os.File) error
	write   func(io.Writer) error
}

func (r *replacement) run() error {
	if err := replaceable(r.name); err != nil {
		return err
	}
	f, err := createPending(r.name, r.private)
	if err != nil {
		return err
	}
	defer func() { _ = f.Cleanup() }() // removes what was not put in place
	if r.prepare != nil {
		if err := r.prepare(f.File); err != nil {
			return err
		}
	}
	if err := r.write(f.File); err != nil {
		return err
	}
	if !r.sync {
		if err := f.File.Close(); err != nil {
			return err
		}
		return os.Rename(f.Name(), r.name)
	}
	if err := f.CloseAtomicallyReplace(); err != nil {
		return err
	}
	return SyncFolder(filepath.Dir(r.name))
}

// replaceable reports what is in the place of a file and is not a regular one.
func replaceable(name string) error {
	info, err := os.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return &fs.PathError{Op: "replace", Path: name, Err: notRegular(info.Mode())}
	}
	return nil
}

// Rename moves a written file to the place of another, as [Replace] does with content.
func Rename(from, to string) error {
	target, err := resolveLinks(to, ownLink)
	if err != nil {
		return err
	}
	if err := replaceable(target); err != nil {
		return err
	}
	if err := os.Rename(from, target); err != nil {
		return err
	}
	return SyncFolder(filepath.Dir(target))
}

// SyncFolder makes renames in a folder durable. Windows has no such call.
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

// Sweep removes the temporary files that a crash left of a file. The caller holds its lock.
func Sweep(name string) {
	if target, err := resolveLinks(name, ownLink); err == nil { // else writing reports it
		sweep(filepath.Dir(target), filepath.Base(target))
	}
}

// SweepFolder removes the temporary files that a crash left of any file in a folder. The
// caller is its only writer.
func SweepFolder(dir string) { sweep(dir, "") }

// sweep removes the temporary files of one file, or of all where base is "".
func sweep(dir, base string) {
	all, err := os.ReadDir(dir)
	if err != nil {
		return // writing reports it
	}
	for _, f := range all {
		if f.Type().IsRegular() && isTemporary(f.Name(), base) {
			_ = os.Remove(filepath.Join(dir, f.Name()))
		}
	}
}

// isTemporary reports whether a file name is a temporary one of file base: a dot, the name
// of the file and a number. An empty base stands for every file.
func isTemporary(name, base string) bool {
	of, ok := strings.CutPrefix(name, ".")
	number := strings.TrimPrefix(of, base)
	if base == "" {
		number = of[len(strings.TrimRight(of, digits)):]
	}
	return ok && number != "" && number != of && strings.Trim(number, digits) == ""
}

const digits = "0123456789"
