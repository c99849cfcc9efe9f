package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"camqtt/internal/mqttclient"
	"camqtt/internal/usage"
	"camqtt/internal/viewer"
	"camqtt/internal/wire"
)

// wish is what a command may ask of pictures.
type wish struct {
	size    string
	quality int
	fps     float64
}

func (w *wish) flags(c *cobra.Command) {
	c.Flags().StringVar(&w.size, "size", "", "size of the picture, such as 640x480 (default the camera's)")
	c.Flags().IntVar(&w.quality, "quality", 0, "JPEG quality, 1 to 100 (default the camera's)")
}

func (w *wish) rateFlag(c *cobra.Command) {
	c.Flags().Float64Var(&w.fps, "fps", 0, "pictures per second at most (default the camera's)")
}

// read checks the camera's id and the flags that were given.
func (w *wish) read(c *cobra.Command, args []string) (id wire.ID, want viewer.Live, err error) {
	if id, err = wire.ParseID(args[0]); err != nil {
		return "", want, usage.Error(err, "")
	}
	given := c.Flags().Changed
	if given("quality") {
		if want.Quality, err = wire.ParseQuality(strconv.Itoa(w.quality)); err != nil {
			return "", want, usage.Error(err, "")
		}
	}
	if given("size") {
		if want.Size, err = wire.ParseSize(w.size); err != nil {
			return "", want, usage.Error(err, "")
		}
	}
	if given("fps") {
		if want.FPS, err = wire.ParseFPS(strconv.FormatFloat(w.fps, 'g', -1, 64)); err != nil {
			return "", want, usage.Error(err, "")
		}
	}
	return id, want, nil
}

func snapCommand(e *env) *cobra.Command {
	var (
		t       target
		w       wish
		out     string
		maxAge  time.Duration
		timeout time.Duration
	)
	c := &cobra.Command{
		Use:   "snap ID",
		Short: "Ask a camera for a fresh picture and write it to a file",
		Example: "  camqtt snap porch                 writes porch.jpg\n" +
			"  camqtt snap porch -o - | display  writes to standard output",
		Args: cameraWith("max_age", "size", "quality"),
		RunE: func(c *cobra.Command, args []string) error {
			id, want, err := w.read(c, args)
			if err != nil {
				return err
			}
			if maxAge < 0 || timeout <= 0 {
				return usage.Error(fmt.Errorf("max-age %s and timeout %s: want 0s or more, and more than 0s", maxAge, timeout), "")
			}
			if out == "" {
				out = string(id) + ".jpg"
			}
			if info, err := os.Stat(out); err == nil && info.IsDir() {
				return usage.Error(fmt.Errorf("output %s is a folder: want a file in it, such as %s", out, filepath.Join(out, string(id)+".jpg")), "")
			}
			return t.with(c.Context(), e, id, func(ctx context.Context, v *viewer.Viewer, _ *mqttclient.Link) error {
				began := time.Now()
				found, settle := present(ctx, e, v, id)
				asking, cancel := snapLimit(c, v)(found, id, timeout)
				defer cancel()
				pic, err := v.Snap(asking, id, viewer.Ask{MaxAge: maxAge, Size: want.Size, Quality: want.Quality})
				if err = settle(err); err != nil {
					if c, ok := v.Camera(id); ok && c.Info.Source == "push" && errors.Is(err, viewer.ErrNoAnswer) {
						return usage.Hint(err, "a longer --timeout: this camera sends when it likes; or --max-age 1h, which takes what it sent last")
					}
					return answered(e, err)
				}
				took := time.Since(began)
				if err := e.save(ctx, out, pic.JPEG); err != nil {
					return err
				}
				fmt.Fprintf(e.Stderr, "%s: %dx%d, %d bytes, taken %s, in %d ms\n", named(out), pic.Meta.Width, pic.Meta.Height,
					len(pic.JPEG), pic.At.Local().Format("15:04:05.000"), took.Milliseconds())
				return nil
			})
		},
	}
	t.flags(c)
	w.flags(c)
	c.Flags().StringVarP(&out, "output", "o", "", "file to write, - for standard output (default ID.jpg)")
	c.Flags().DurationVar(&maxAge, "max-age", 0, "take a picture up to this old (default a fresh one)")
	c.Flags().DurationVar(&timeout, "timeout", askTime, "how long to wait; a source with a longer timeout= needs more")
	return c
}

// snapLimit limits how long a picture is waited for: by the time that was given, else as
// long as the camera needs.
func snapLimit(c *cobra.Command, v *viewer.Viewer) func(context.Context, wire.ID, time.Duration) (context.Context, context.CancelFunc) {
	if !c.Flags().Changed("timeout") {
		return v.WithSnapTime
	}
	return func(ctx context.Context, _ wire.ID, d time.Duration) (context.Context, context.CancelFunc) {
		return context.WithTimeout(ctx, d)
	}
}

// named is a file's name for people.
func named(path string) string {
	if path == "-" {
		return "standard output"
	}
	return path
}
