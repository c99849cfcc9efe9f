package securefile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// Write writes data to the file that a user has named, as a shell's > does: through
// symbolic links, into devices and into named pipes. It waits for the reader of a pipe
// until ctx is done. A regular file is replaced atomically; where its folder is read-only,
// or the file is a mount point, it is overwritten in place.
func Write(ctx context.Context, name string, data []byte) error {
	target, kind, err := resolve(name)
	switch {
	case err != nil:
		return fmt.Errorf("write %s: %w", name, err)
	case kind == open:
		err = writeSpecial(ctx, target, 0, data)
	case kind == special:
		err = writeSpecial(ctx, target, noFollow, data)
	default:
		r := replacement{name: target, write: func(w io.Writer) error { return writeAll(w, [][]byte{data}) }}
		err = r.run()
		if kind == regular && inPlace(err) {
			err = overwrite(target, noFollow, data)
		}
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// inPlace reports whether a file that cannot be replaced may still be writable.
func inPlace(err error) bool {
	for _, e := range []error{fs.ErrPermission, syscall.EBUSY, syscall.EXDEV, syscall.EROFS} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// overwrite writes data over the content of a regular file.
func overwrite(name string, flags int, data []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|flags, 0)
	if err != nil {
		return err
	}
	if _, err = f.Write(data); err == nil {
		err = f.Truncate(int64(len(data)))
	}
	return errors.Join(err, f.Sync(), f.Close())
}
