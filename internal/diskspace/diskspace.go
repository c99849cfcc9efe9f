// Package diskspace says whether a disk is full.
package diskspace

import "fmt"

// least is what has to be free in bytes: room for the files that a hub replaces.
const least = 64 << 10

// Full reports a folder in which this process can write no file of 64 KiB. "" is no folder,
// and a folder that cannot be looked at is not full.
func Full(dir string) error {
	if dir == "" {
		return nil
	}
	bytes, files, ok := free(dir)
	switch {
	case !ok:
		return nil
	case bytes < least:
		return fmt.Errorf("the disk of %s is full: %d bytes are free, %d are needed", dir, bytes, least)
	case files < 4:
		return fmt.Errorf("the disk of %s is full: it has room for %d more files", dir, files)
	}
	return nil
}
