package private

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// MakeOnce makes a file with the text that make returns, unless there is one. A reader
// sees no file or a whole one, also after a power cut. Of two processes that make it at
// the same time one wins.
func MakeOnce(name string, mode fs.FileMode, make func() ([]byte, error)) (err error) {
	if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	text, err := make()
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.Write(text)
	if err := errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return err
	}
	switch err := os.Link(f.Name(), name); {
	case err == nil, errors.Is(err, fs.ErrExist):
	default: // a file system without links, such as FAT
		if err := Rename(f.Name(), name); err != nil {
			return err
		}
	}
	return SyncFolder(filepath.Dir(name))
}
