package diskspace

import (
	"math"
	"os"
	"syscall"
)

// free gives the bytes and files that there is room for; ok is false where that is not
// known. statfs(2)
func free(dir string) (bytes, files uint64, ok bool) {
	var s syscall.Statfs_t
	if syscall.Statfs(dir, &s) != nil {
		return 0, 0, false
	}
	blocks := s.Bavail
	if os.Geteuid() == 0 { // what is reserved is for root
		blocks = s.Bfree
	}
	if s.Blocks == 0 {
		return 0, 0, false // a file system that does not say
	}
	files = s.Ffree
	if s.Files == 0 { // one that has no limit
		files = math.MaxUint64
	}
	return blocks * uint64(s.Bsize), files, true
}
