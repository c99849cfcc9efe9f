//go:build !(linux || darwin || freebsd || netbsd || openbsd)

package securefile

import (
	"context"
	"errors"
	"io/fs"
	"os"
)

// noFollow is nothing where links need a privilege.
const noFollow = 0

// followable allows all links where they need a privilege.
func followable(string, fs.FileInfo) error { return nil }

// writeSpecial writes to a device, such as NUL.
func writeSpecial(_ context.Context, name string, flags int, data []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|flags, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}
