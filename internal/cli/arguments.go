package cli

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

// oneCamera is the argument of commands for one camera.
func oneCamera(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("which camera? want one id, such as porch, but got %d", len(args))
	}
	return nil
}

// cameraWith is the argument of commands for one camera, and behind it what the command's
// flags say in the words of topics.md: fps=5 is --fps 5.
func cameraWith(keys ...string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) < 2 || !strings.Contains(args[1], "=") {
			return oneCamera(c, args)
		}
		for _, kv := range args[1:] {
			key, value, ok := strings.Cut(kv, "=")
			if !ok || !slices.Contains(keys, key) {
				return fmt.Errorf("%q: want KEY=VALUE with a key of %s", kv, strings.Join(keys, " "))
			}
			flag := c.Flags().Lookup(strings.ReplaceAll(key, "_", "-"))
			if _, err := strconv.ParseFloat(value, 64); err == nil && flag.Value.Type() == "duration" {
				value += "s"
			}
			if err := c.Flags().Set(flag.Name, value); err != nil {
				return fmt.Errorf("%s: %w", kv, err)
			}
		}
		return nil
	}
}
