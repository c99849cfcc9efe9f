package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"camqtt/internal/usage"
	"camqtt/internal/wire"
)

func startCommand(e *env) *cobra.Command {
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
				return usage.Error(fmt.Errorf("for %s: want more than 0s", length), "")
			}
			return give(c.Context(), e, &t, id, wire.Command{
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
