//go:build unix

package app

import (
	"math"
	"syscall"
)

// openFiles is how many files this process may open; 0 is not known or no limit.
func openFiles() int {
	var l syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l) != nil || uint64(l.Cur) > math.MaxInt32 {
		return 0
	}
	return int(l.Cur)
}
