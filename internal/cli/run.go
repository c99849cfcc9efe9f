package cli

import (
	"context"

	"github.com/spf13/cobra"

	"camqtt/internal/app"
	"camqtt/internal/config"
)

func runCommand(e *env) *cobra.Command {
	var sources []string
	c := &cobra.Command{
		Use:   "run FILE...",
		Short: "Run whatever the configuration has sections for: broker, dashboard, cameras",
		Example: "  camqtt run -c configs/all-in-one.yaml\n" +
			"  camqtt run -c hub.yaml -c broker.listen=127.0.0.1:1884",
		RunE: func(c *cobra.Command, files []string) error {
			cfg, err := e.load(append(sources, files...))
			if err != nil {
				return err
			}
			return serve(c.Context(), e, cfg)
		},
	}
	c.Flags().StringArrayVarP(&sources, "config", "c", nil, "configuration: a YAML file, or key=value; may be repeated, later ones win")
	return c
}

// serve builds and runs a configuration until ctx is done.
func serve(ctx context.Context, e *env, cfg *config.Config) error {
	log, err := e.log(cfg.Log.Level, cfg.Log.Format)
	if err != nil {
		return err
	}
	for _, m := range e.moved {
		log.Warn("relative path is used as one of the working directory, where there is something already; move it, or give the whole path", "key", m.key, "used", m.used, "instead", m.now)
	}
	a, err := app.New(e.appOptions(cfg, log))
	if err != nil {
		return err
	}
	a.LogStart()
	return a.Serve(ctx)
}
