package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"camqtt/internal/link"
	"camqtt/internal/viewer"
	"camqtt/internal/wire"
)

// wish is the size and quality a command may ask for.
type wish struct {
	size    string
	quality int
}

func (w *wish) flags(c *cobra.Command) {
	c.Flags().StringVar(&w.size, "size", "", "size of the picture, such as 640x480 (default the camera's)")
	c.Flags().IntVar(&w.quality, "quality", 0, "JPEG quality, 1 to 100 (default the camera's)")
}

func (w *wish) parse() (s wire.Size, err error) {
	if w.quality < 0 || w.quality > 100 {
		return s, usage(fmt.Errorf("quality %d: want 1 to 100", w.quality), "")
	}
	if w.size != "" {
		if s, err = wire.ParseSize(w.size); err != nil {
			return s, usage(err, "")
		}
	}
	return s, nil
}

// checkRate checks the flag fps, if it was given.
func checkRate(c *cobra.Command, fps float64) error {
	if !c.Flags().Changed("fps") {
		return nil
	}
	if _, err := wire.ParseFPS(strconv.FormatFloat(fps, 'g', -1, 64)); err != nil {
		return usage(err, "")
	}
	return nil
}

func (e *env) snapCommand() *cobra.Command {
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
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			id, err := cameraID(args[0])
			if err != nil {
				return err
			}
			size, err := w.parse()
			if err != nil {
				return err
			}
			if out == "" {
				out = string(id) + ".jpg"
			}
			return t.with(c.Context(), e, func(ctx context.Context, v *viewer.Viewer, _ *link.Link) error {
				ctx, cancel := context.WithTimeout(ctx, timeout)
				defer cancel()
				began := time.Now()
				pic, err := v.Snap(ctx, id, viewer.Ask{MaxAge: maxAge, Size: size, Quality: w.quality})
				if err != nil {
					return e.answered(err)
				}
				took := time.Since(began)
				if err := e.save(out, pic.JPEG); err != nil {
					return err
				}
				fmt.Fprintf(e.Stderr, "%s: %dx%d, %d bytes, taken %s, in %d ms\n", out, pic.Meta.Width, pic.Meta.Height,
					len(pic.JPEG), pic.At.Local().Format("15:04:05.000"), took.Milliseconds())
				return nil
			})
		},
	}
	t.flags(c)
	w.flags(c)
	c.Flags().StringVarP(&out, "output", "o", "", "file to write, - for standard output (default ID.jpg)")
	c.Flags().DurationVar(&maxAge, "max-age", 0, "take a picture up to this old (default a fresh one)")
	c.Flags().DurationVar(&timeout, "timeout", askTime, "how long to wait")
	return c
}

// save writes a picture whole or not at all.
func (e *env) save(path string, jpg []byte) error {
	if path == "-" {
		_, err := e.Stdout.Write(jpg)
		return err
	}
	return writeWhole(path, jpg)
}

// writeWhole writes a file beside its place and moves it there, so that nobody
// ever reads half a picture.
func writeWhole(path string, b []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
			err = fmt.Errorf("write %s: %w", path, err)
		}
	}()
	if err := errors.Join(write(f, b), f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func write(w io.Writer, b []byte) error {
	_, err := w.Write(b)
	return err
}
