package cli

import (
	"errors"
	"fmt"
	"strings"

	"camqtt/internal/app"
	"camqtt/internal/config"
	"camqtt/internal/usage"
	"camqtt/internal/wire"
	"camqtt/node/camera"
	"camqtt/node/camera/kinds"
)

// checkSource looks closely at a source without opening it.
func checkSource(c config.Camera, base wire.Base) error {
	_, err := kinds.Open(c.Source, camera.Options{
		Rotate: c.Rotate, Base: string(base), User: c.User, Password: c.Password(),
	})
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
	o.Moved = func(key, used, now string) { e.moved = append(e.moved, movedPath{key, app.Absolute(used), now}) }
	o.CheckSource, o.Given = checkSource, e.given
	cfg, err := config.Load(o)
	var problems config.Problems
	if errors.As(err, &problems) {
		fmt.Fprintln(e.complaints(), problems)
		return nil, usage.Printed(err)
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
	return nil, usage.Error(errors.Join(said...), "")
}
