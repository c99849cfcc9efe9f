// Package datadir marks a data folder with the version of its layout, so that an older
// camqtt does not open, and lose, what a newer one has written.
package datadir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"camqtt/internal/securefile"
)

// Format is the layout that this program writes. A folder without a mark is older.
//
// 1: retained messages are in a database, accounts have a checksum.
const Format = 1

// FileName is the file of the mark in a data folder.
const FileName = "format"

const head = "camqtt data folder, format "

// ErrNewer is what [Check] wraps of a folder that a newer program has written.
var ErrNewer = errors.New("written by a newer camqtt")

// Check reports a folder that this program must not use: that of a newer one, or one
// whose mark is damaged. A folder that is not there, or has no mark, may be used; "" is no
// folder.
func Check(dir string) error {
	if dir == "" {
		return nil
	}
	_, err := read(dir)
	return err
}

// Mark checks a folder, which has to be there, and marks it as one of this program.
func Mark(dir string) error {
	is, err := read(dir)
	if err != nil || is == Format {
		return err
	}
	name := filepath.Join(dir, FileName)
	if err := securefile.Replace(name, []byte(head+strconv.Itoa(Format)+"\n")); err != nil {
		return fmt.Errorf("mark the data folder: %w", err)
	}
	return nil
}

// read reads the mark; 0 is none.
func read(dir string) (int, error) {
	name := filepath.Join(dir, FileName)
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the mark of the data folder: %w", err)
	}
	n, err := parse(string(text))
	switch {
	case err != nil:
		return 0, fmt.Errorf("data folder %s: %s is damaged: got %.60q, want %q. Restore it from a copy, or write that line into it",
			dir, name, text, head+strconv.Itoa(Format))
	case n > Format:
		return n, fmt.Errorf("data folder %s was %w (format %d, this version reads up to format %d). "+
			"Start the newer version again, or restore a copy of the folder from before the update", dir, ErrNewer, n, Format)
	}
	return n, nil
}

func parse(text string) (int, error) {
	number, ok := strings.CutPrefix(strings.TrimSpace(text), head)
	n, err := strconv.Atoi(number)
	if !ok || err != nil || n < 1 {
		return 0, errors.New("no mark")
	}
	return n, nil
}
