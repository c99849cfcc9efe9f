package cli

import "github.com/spf13/cobra"

func checkCommand(e *env) *cobra.Command {
	var sources []string
	c := &cobra.Command{
		Use:   "check FILE...",
		Short: "Say what is wrong with a configuration, or print what it comes to",
		RunE: func(_ *cobra.Command, files []string) error {
			cfg, err := e.load(append(sources, files...))
			if err != nil {
				return err
			}
			out, err := cfg.YAML()
			if err != nil {
				return err
			}
			return write(e.Stdout, out)
		},
	}
	c.Flags().StringArrayVarP(&sources, "config", "c", nil, "configuration: a YAML file, or key=value; may be repeated, later ones win")
	return c
}
