//go:build !(linux || darwin || freebsd || netbsd || openbsd)

package atomicfile

import (
	"context"
	"errors"
	"os"
)

// writeSpecial writes to a device, such as NUL.
func writeSpecial(_ context.Context, name string, data []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}
