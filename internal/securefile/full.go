//go:build !windows

package securefile

import (
	"errors"
	"syscall"
)

// full reports an error that more room on the disk cures.
func full(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
