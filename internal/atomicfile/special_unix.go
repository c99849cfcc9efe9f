//go:build linux || darwin || freebsd || netbsd || openbsd

package atomicfile

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"
)

// pipeRetry is how often a named pipe is tried that has no reader yet.
const pipeRetry = 20 * time.Millisecond

// writeSpecial writes to a device, a named pipe or an open descriptor. Neither opening
// nor writing outlasts ctx.
func writeSpecial(ctx context.Context, name string, data []byte) error {
	f, err := openSpecial(ctx, name)
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

func openSpecial(ctx context.Context, name string) (*os.File, error) {
	retry := time.NewTicker(pipeRetry)
	defer retry.Stop()
	for {
		// Without O_NONBLOCK opening a pipe waits for its reader, and nothing ends that.
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
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
