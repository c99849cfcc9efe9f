package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"camqtt/internal/config"
	"camqtt/internal/memlimit"
	"camqtt/internal/run"
	"camqtt/node/camera"
	"camqtt/node/camera/kinds"
)

// checkSource looks closely at a source without opening it.
func checkSource(source, rotate string) error {
	_, err := kinds.Open(source, camera.Options{Rotate: rotate})
	return err
}

// movedPath is a relative path that is used at its old place, in the working directory.
type movedPath struct{ key, used, now string }

// load reads the configuration. Its problems are printed as they are, one to a
// line, because editors understand file:line.
func (e *env) load(sources []string) (*config.Config, error) {
	return e.loadOptions(config.Options{Sources: sources, Environ: e.Environ})
}

func (e *env) loadOptions(o config.Options) (*config.Config, error) {
	o.Moved = func(key, used, now string) { e.moved = append(e.moved, movedPath{key, absolute(used), now}) }
	o.CheckSource, o.Given = checkSource, e.given
	cfg, err := config.Load(o)
	var problems config.Problems
	if errors.As(err, &problems) {
		fmt.Fprintln(e.complaints(), problems)
		return nil, &usageError{err: err, said: true}
	}
	return cfg, err
}

// loadFlags makes a configuration of what flags say; flags names the flag that
// a key came from, so that a problem names what the person has typed.
func (e *env) loadFlags(sources []string, flags map[string]string) (*config.Config, error) {
	cfg, err := config.Load(config.Options{Sources: sources, CheckSource: checkSource, Given: e.given})
	var problems config.Problems
	if !errors.As(err, &problems) {
		return cfg, err
	}
	var said []error
	for _, p := range problems {
		place := p.Key
		for key, flag := range flags {
			if strings.HasSuffix(p.Key, key) {
				place = flag
			}
		}
		said = append(said, fmt.Errorf("%s: %s", place, p.Text))
	}
	return nil, usage(errors.Join(said...), "")
}

func (e *env) runCommand() *cobra.Command {
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
			return e.serve(c.Context(), cfg)
		},
	}
	c.Flags().StringArrayVarP(&sources, "config", "c", nil, "configuration: a YAML file, or key=value; may be repeated, later ones win")
	return c
}

// startTime is after how long everything that a start needs has been used.
const startTime = 30 * time.Second

// serve builds and runs a configuration until ctx is done.
func (e *env) serve(ctx context.Context, cfg *config.Config) error {
	log, err := e.log(cfg.Log.Level, cfg.Log.Format)
	if err != nil {
		return err
	}
	for _, m := range e.moved {
		log.Warn("relative path is used as one of the working directory, where there is something already; move it, or give the whole path", "key", m.key, "used", m.used, "instead", m.now)
	}
	p, err := e.build(cfg, log, ports{mqtt: "another port for broker.listen", http: "another port for dashboard.listen"})
	if err != nil {
		return err
	}
	number, commit := version()
	log.Info("camqtt starts", "version", number, "commit", commit, "cameras", len(cfg.Cameras))
	if p.mqttAddr != nil {
		log.Info("broker listens", "url", "mqtt://"+p.mqttAddr.String())
	}
	if p.tlsAddr != nil {
		log.Info("broker listens", "url", "mqtts://"+p.tlsAddr.String())
	}
	if p.httpAddr != nil {
		// Every address of this machine is none that a browser could open.
		log.Info("dashboard listens", "url", schemeOf(cfg.Dashboard)+p.httpAddr.String(), "open", p.pageURL())
	}
	if cfg.Broker == nil && cfg.Dashboard == nil {
		memlimit.Lean()
		start := time.AfterFunc(startTime, func() { memlimit.GiveBack(log) })
		defer start.Stop()
	}
	return run.All(ctx, p.services...)
}

func (e *env) checkCommand() *cobra.Command {
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
