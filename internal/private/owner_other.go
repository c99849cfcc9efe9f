//go:build !(linux || darwin || freebsd || netbsd || openbsd)

package private

import (
	"io/fs"
	"os"
)

// patient is nothing where files are no pipes.
const patient = 0

// Lock does nothing where a lock would outlive a process that was killed.
func Lock(string) (release func(), err error) { return func() {}, nil }

// TryLock does nothing where Lock does nothing.
func TryLock(string) (release func(), err error) { return func() {}, nil }

// Trusted does nothing where files have no such owner.
func Trusted(string, fs.FileInfo) error { return nil }

// ownLink does nothing where files have no such owner.
func ownLink(string, fs.FileInfo) error { return nil }

// inherit does nothing where files have no such owner.
func inherit(*os.File, string) error { return nil }
