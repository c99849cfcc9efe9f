package securefile

import (
	"errors"
	"syscall"
)

// full reports an error that more room on the disk cures.
func full(err error) bool {
	const diskFull, handleDiskFull = syscall.Errno(112), syscall.Errno(39)
	return errors.Is(err, diskFull) || errors.Is(err, handleDiskFull)
}
