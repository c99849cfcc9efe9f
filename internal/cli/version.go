package cli

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"camqtt/internal/app"
)

func versionCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print version, commit and Go",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			number, commit := app.Version()
			_, err := fmt.Fprintf(e.Stdout, "camqtt %s, commit %s, %s %s/%s\n", number, commit, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}
