package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"camqtt/internal/mqttclient"
	"camqtt/internal/viewer"
	"camqtt/internal/wire"
)

// ask gives a camera a command or settings and prints the result.
func (e *env) ask(ctx context.Context, t *target, id wire.ID, do func(context.Context, *viewer.Viewer) (wire.Result, error)) error {
	return t.with(ctx, e, id, func(ctx context.Context, v *viewer.Viewer, _ *mqttclient.Link) error {
		found, settle := e.present(ctx, v, id)
		asking, cancel := context.WithTimeout(found, askTime)
		defer cancel()
		r, err := do(asking, v)
		if err = settle(err); err != nil {
			return e.answered(err)
		}
		text := ""
		if r.Text != "" {
			text = ": " + r.Text
		}
		fmt.Fprintf(e.Stdout, "%s (%d ms)\n", oneLine(string(r.Code)+text), r.TookMS)
		return nil
	})
}

// give gives a camera a command and prints its result.
func (e *env) give(ctx context.Context, t *target, id wire.ID, cmd wire.Command) error {
	if _, err := wire.ParseCommand([]byte(cmd.Words()), time.Now()); err != nil {
		return usage(err, "")
	}
	return e.ask(ctx, t, id, func(ctx context.Context, v *viewer.Viewer) (wire.Result, error) { return v.Do(ctx, id, cmd) })
}

func (e *env) startCommand() *cobra.Command {
	var (
		t      target
		w      wish
		length time.Duration
		holder string
	)
	c := &cobra.Command{
		Use:     "start ID [KEY=VALUE...]",
		Short:   "Start a live stream: the lease manual, or a viewer's",
		Example: "  camqtt start porch fps=5 for=1m\n  camqtt start porch --fps 5 --for 1m",
		Args:    cameraWith("fps", "size", "quality", "for", "viewer"),
		RunE: func(c *cobra.Command, args []string) error {
			id, want, err := w.read(c, args)
			if err != nil {
				return err
			}
			if c.Flags().Changed("for") && length <= 0 {
				return usage(fmt.Errorf("for %s: want more than 0s", length), "")
			}
			return e.give(c.Context(), &t, id, wire.Command{
				Verb: wire.Start, FPS: want.FPS, Size: want.Size, Quality: want.Quality, For: length, Viewer: holder,
			})
		},
	}
	t.flags(c)
	w.flags(c)
	w.rateFlag(c)
	c.Flags().DurationVar(&length, "for", 0, "how long (default until stop, or the camera's max_stream)")
	c.Flags().StringVar(&holder, "viewer", "", "whose lease it is (default manual)")
	return c
}

func (e *env) stopCommand() *cobra.Command {
	var (
		t      target
		holder string
	)
	c := &cobra.Command{
		Use:   "stop ID",
		Short: "End every live stream of a camera, or one viewer's",
		Args:  cameraWith("viewer"),
		RunE: func(c *cobra.Command, args []string) error {
			id, err := cameraID(args[0])
			if err != nil {
				return err
			}
			return e.give(c.Context(), &t, id, wire.Command{Verb: wire.Stop, Viewer: holder})
		},
	}
	t.flags(c)
	c.Flags().StringVar(&holder, "viewer", "", "whose lease to end (default all)")
	return c
}

func (e *env) setCommand() *cobra.Command {
	var t target
	var names []string
	for _, s := range wire.Settings() {
		names = append(names, string(s))
	}
	c := &cobra.Command{
		Use:     "set ID KEY=VALUE...",
		Short:   "Change settings of a camera until its node restarts",
		Long:    "Change settings of a camera until its node restarts: all that are given, or none.\nPrivacy alone outlives a restart.\nSettings: " + strings.Join(names, " "),
		Example: "  camqtt set porch fps=5 quality=70\n  camqtt set porch privacy=on",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 2 {
				return errors.New("which camera and what? want an id and KEY=VALUE, such as porch fps=5")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			id, err := cameraID(args[0])
			if err != nil {
				return err
			}
			values := map[string]string{}
			for _, kv := range args[1:] {
				k, v, ok := strings.Cut(kv, "=")
				if !ok {
					return usage(fmt.Errorf("set: %q: want KEY=VALUE", kv), e.name+" set --help")
				}
				if _, err := wire.ParseChange(k, v); err != nil {
					return usage(fmt.Errorf("set: %w", err), "")
				}
				values[k] = v
			}
			return e.ask(c.Context(), &t, id, func(ctx context.Context, v *viewer.Viewer) (wire.Result, error) { return v.Set(ctx, id, values) })
		},
	}
	t.flags(c)
	return c
}
