//go:build linux || darwin || freebsd || netbsd || openbsd

package securefile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// pipeRetry is the time between attempts to open a named pipe that has no reader yet.
const pipeRetry = 20 * time.Millisecond

// noFollow makes open fail if the file has been replaced by a symbolic link.
const noFollow = syscall.O_NOFOLLOW

// followable refuses a symbolic link of another user in a world-writable folder with the
// sticky bit, such as /tmp, as Linux does with fs.protected_symlinks.
func followable(link string, info fs.FileInfo) error {
	dir, err := os.Stat(filepath.Dir(link))
	if err != nil || dir.Mode()&fs.ModeSticky == 0 || dir.Mode()&0o002 == 0 {
		return err
	}
	own, ok := info.Sys().(*syscall.Stat_t)
	in, both := dir.Sys().(*syscall.Stat_t)
	if !ok || !both || int(own.Uid) == os.Geteuid() || own.Uid == in.Uid {
		return nil
	}
	return fmt.Errorf("%s is a symbolic link of user %d in a folder where everybody may put one. Try: another folder", link, own.Uid)
}

// writeSpecial writes to a device, a named pipe or an open descriptor. Neither opening
// nor writing outlasts ctx.
func writeSpecial(ctx context.Context, name string, flags int, data []byte) error {
	f, err := openSpecial(ctx, name, flags)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = f.SetWriteDeadline(time.Unix(1, 0)) }) // devices without deadlines never wait
	defer stop()
	_, err = f.Write(data)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return errors.Join(err, f.Close())
}

func openSpecial(ctx context.Context, name string, flags int) (*os.File, error) {
	retry := time.NewTicker(pipeRetry)
	defer retry.Stop()
	for {
		// Without O_NONBLOCK opening a pipe waits for its reader, and nothing ends that.
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND|syscall.O_NONBLOCK|syscall.O_NOCTTY|flags, 0)
		info, statErr := os.Stat(name)
		if err == nil || !errors.Is(err, syscall.ENXIO) || statErr != nil || info.Mode()&os.ModeNamedPipe == 0 {
			return f, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-retry.C:
		}
	}
}
