package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"camqtt/internal/usage"
	"camqtt/internal/viewer"
	"camqtt/internal/wire"
)

func setCommand(e *env) *cobra.Command {
	var t target
	var names []string
	for _, s := range wire.Settings() {
		names = append(names, string(s))
	}
	c := &cobra.Command{
		Use:   "set ID KEY=VALUE...",
		Short: "Change settings of a camera, which survive a restart of its node",
		Long: "Change settings of a camera: all that are given, or none. They survive a restart of its node;\n" +
			"reset=all returns to the configuration.\nSettings: " + strings.Join(names, " "),
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
					return usage.Error(fmt.Errorf("set: %q: want KEY=VALUE", kv), e.name+" set --help")
				}
				if _, err := wire.ParseChange(k, v); err != nil {
					return usage.Error(fmt.Errorf("set: %w", err), "")
				}
				values[k] = v
			}
			return ask(c.Context(), e, &t, id, func(ctx context.Context, v *viewer.Viewer) (wire.Result, error) { return v.Set(ctx, id, values) })
		},
	}
	t.flags(c)
	return c
}
