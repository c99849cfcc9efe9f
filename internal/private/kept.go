package private

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// ReplaceKept replaces a file as [Replace] does, and keeps it as it was under another
// name, in the same folder. A file that was not there is kept as it is then: the copy
// tells a lost file from one that there never was.
//
// It works on a full disk where the new text needs no more room than the old one: the
// copy gives way first. Without a copy the file is overwritten in its place, which is the
// one case in which a crash can leave it torn.
func ReplaceKept(name, kept string, text []byte) error {
	old, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		if err := Replace(name, text); err != nil {
			return err
		}
		return keep(kept, text)
	}
	if err != nil {
		return err
	}
	err = Replace(kept, old)
	if err == nil {
		err = Replace(name, text)
	}
	if !full(err) {
		return err
	}
	if err := os.Remove(kept); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("make room on a full disk: %w", err)
	}
	if err = Replace(name, text); full(err) && len(text) <= len(old) {
		err = overwrite(name, text)
	}
	if err != nil {
		return err
	}
	return keep(kept, old)
}

// keep writes a copy where there is room for one.
func keep(name string, text []byte) error {
	if err := Replace(name, text); !full(err) {
		return err
	}
	return nil
}

// overwrite puts a text into a file in its place.
func overwrite(name string, text []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = io.NewOffsetWriter(f, 0).Write(text)
	if err == nil {
		err = f.Truncate(int64(len(text)))
	}
	return errors.Join(err, f.Sync(), f.Close(), SyncFolder(filepath.Dir(name)))
}
