//go:build !(linux || darwin || freebsd || netbsd || openbsd)

package securefile

import (
	"io/fs"
	"os"
)

// nonBlocking is not needed where named pipes are not in the file system.
const nonBlocking = 0

// Lock does nothing where a lock would outlive a process that was killed.
func Lock(string) (release func(), err error) { return func() {}, nil }

// TryLock does nothing where Lock does nothing.
func TryLock(string) (release func(), err error) { return func() {}, nil }

// CheckOwner does nothing where files have no such owner.
func CheckOwner(string, fs.FileInfo) error { return nil }

// ownLink does nothing where files have no such owner.
func ownLink(string, fs.FileInfo) error { return nil }

// inherit does nothing where files have no such owner.
func inherit(*os.File, string) error { return nil }
