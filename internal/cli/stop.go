package cli

import (
	"github.com/spf13/cobra"

	"camqtt/internal/wire"
)

func stopCommand(e *env) *cobra.Command {
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
			return give(c.Context(), e, &t, id, wire.Command{Verb: wire.Stop, Viewer: holder})
		},
	}
	t.flags(c)
	c.Flags().StringVar(&holder, "viewer", "", "whose lease to end (default all)")
	return c
}
