//go:build unix

package journal

import (
	"os"
	"syscall"
)

// identity returns the device and inode of an open file.
func identity(f *os.File) (dev, ino uint64, ok bool) {
	info, err := f.Stat()
	if err != nil {
		return 0, 0, false
	}
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0, false
	}
	return uint64(s.Dev), uint64(s.Ino), true
}
