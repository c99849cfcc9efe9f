package securefile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// MakeOnce creates a file with the content that content returns, unless the file exists. A
// reader sees no file or the whole file, also after a power cut. Of two processes that
// create it at the same time one wins.
func MakeOnce(name string, mode fs.FileMode, content func() ([]byte, error)) error {
	if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	text, err := content()
	if err != nil {
		return err
	}
	f, err := createPending(name, true)
	if err != nil {
		return err
	}
	defer func() { _ = f.Cleanup() }()
	_, err = f.Write(text)
	if err := errors.Join(err, f.Chmod(mode), f.Sync(), f.File.Close()); err != nil {
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
