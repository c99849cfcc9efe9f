package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"camqtt/internal/mqttclient"
	"camqtt/internal/securefile"
	"camqtt/internal/usage"
	"camqtt/internal/viewer"
	"camqtt/internal/wire"
)

// errEnough ends a watch after the wanted number of pictures.
var errEnough = errors.New("enough")

func watchCommand(e *env) *cobra.Command {
	var (
		t     target
		w     wish
		dir   string
		count int
	)
	c := &cobra.Command{
		Use:   "watch ID",
		Short: "Watch a camera live: MJPEG on standard output, or numbered files",
		Example: "  camqtt watch porch | ffplay -f mpjpeg -\n" +
			"  camqtt watch porch --fps 1 -o pictures",
		Args: cameraWith("fps", "size", "quality"),
		RunE: func(c *cobra.Command, args []string) error {
			id, want, err := w.read(c, args)
			if err != nil {
				return err
			}
			if count < 0 {
				return usage.Error(fmt.Errorf("count %d: want 0 (no end) or more", count), "")
			}
			show, err := sink(c.Context(), e, dir, id)
			if err != nil {
				return err
			}
			ctx, stop := untilHangup(c.Context())
			defer stop()
			return t.with(ctx, e, id, func(ctx context.Context, v *viewer.Viewer, _ *mqttclient.Link) error {
				if err := find(ctx, e, v, id); err != nil {
					return err
				}
				n := 0
				return answered(e, watched(ctx, func(ctx context.Context) error {
					return v.Watch(ctx, id, want, func(p viewer.Picture) error {
						if err := show(n, p); err != nil {
							return err
						}
						if n++; n == count {
							return errEnough
						}
						return nil
					})
				}))
			})
		},
	}
	t.flags(c)
	w.flags(c)
	c.Flags().StringVarP(&dir, "output", "o", "", "folder for numbered files (default MJPEG on standard output)")
	w.rateFlag(c)
	c.Flags().IntVarP(&count, "count", "n", 0, "end after so many pictures (default never)")
	return c
}

// untilHangup is a context that ends also when the terminal does. A player that has gone
// is an error of writing and not the end of the program, which has a lease to end.
func untilHangup(ctx context.Context) (context.Context, func()) {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGHUP)
	broken := make(chan os.Signal, 1)
	signal.Notify(broken, syscall.SIGPIPE)
	return ctx, func() { signal.Stop(broken); stop() }
}

// stuckTime is how long a reader that has stopped reading is waited for at the end.
const stuckTime = 2 * time.Second

// watched runs a watch until it ends, or its context has and its output is stuck: the lease
// is ended by then.
func watched(ctx context.Context, watch func(context.Context) error) error {
	done := make(chan error, 1)
	go func() { done <- watch(ctx) }() // ends with ctx, or with the program where its output is stuck
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
		select {
		case err = <-done:
		case <-time.After(stuckTime):
		}
	}
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// sink returns what writes the n-th picture.
func sink(ctx context.Context, e *env, dir string, id wire.ID) (func(int, viewer.Picture) error, error) {
	if dir != "" {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, fmt.Errorf("make the folder for pictures: %w", err)
		}
		return func(n int, p viewer.Picture) error {
			return securefile.Write(ctx, filepath.Join(dir, fmt.Sprintf("%s-%06d.jpg", id, n+1)), p.JPEG)
		}, nil
	}
	if f, ok := e.Stdout.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 && info.Mode()&os.ModeDevice != 0 && isTerminal(info) {
			return nil, usage.Error(errors.New("watch writes pictures to standard output, which is a terminal"),
				fmt.Sprintf("%s watch %s | ffplay -f mpjpeg -    or    %s watch %s -o FOLDER", e.name, id, e.name, id))
		}
	}
	return func(_ int, p viewer.Picture) error { return writePart(e.Stdout, p) }, nil
}

// isTerminal tells a terminal from /dev/null, the other character device that
// standard output often is.
func isTerminal(info os.FileInfo) bool {
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(info, null)
}

// writePart writes one picture as a part of multipart MJPEG, the boundary that
// ends it included, so that a reader has it whole at once.
func writePart(w io.Writer, p viewer.Picture) error {
	head := fmt.Sprintf("--camqtt\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\nX-Timestamp: %.3f\r\n\r\n",
		len(p.JPEG), float64(p.At.UnixMilli())/float64(time.Second/time.Millisecond))
	for _, b := range [][]byte{[]byte(head), p.JPEG, []byte("\r\n")} {
		if err := write(w, b); err != nil {
			return fmt.Errorf("write the stream: %w", err)
		}
	}
	return nil
}
