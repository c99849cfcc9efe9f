//go:build unix

package securefile

import (
	"io/fs"
	"syscall"
)

// forbidden are the rights that only the owner may have.
func forbidden(info fs.FileInfo) fs.FileMode {
	if s, ok := info.Sys().(*syscall.Stat_t); ok && s.Uid == 0 {
		return 0o037 // its group may read
	}
	return 0o077
}
