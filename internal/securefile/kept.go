package securefile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// ReplaceKept replaces a file as [Replace] does, and keeps the previous content in a copy
// in the same folder. The copy of a new file has its first content: so a lost file differs
// from one that never existed.
//
// On a full disk it works if the new content is not longer than the old: it removes the
// copy first. If that frees too little, it overwrites the file in place; only then a crash
// can leave it torn.
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
		err = overwrite(name, 0, text)
	}
	if err != nil {
		return err
	}
	return keep(kept, old)
}

// keep writes a copy if the disk has room for it.
func keep(name string, text []byte) error {
	if err := Replace(name, text); !full(err) {
		return err
	}
	return nil
}
