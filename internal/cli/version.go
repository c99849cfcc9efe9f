package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version returns the program's version and commit, as the Go tool noted them
// in the binary.
func version() (number, commit string) {
	number, commit = "devel", "unknown"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return number, commit
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		number = v
	}
	dirty := ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision" && len(s.Value) >= 12:
			commit = s.Value[:12]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "+changes"
		}
	}
	return number, commit + dirty
}

func (e *env) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print version, commit and Go",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			number, commit := version()
			_, err := fmt.Fprintf(e.Stdout, "camqtt %s, commit %s, %s %s/%s\n", number, commit, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}
