package cli

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"

	"camqtt/internal/config"
	"camqtt/internal/memo"
	"camqtt/node"
)

// errNoState is that nothing says where to keep things.
var errNoState = errors.New("there is no folder for it, for neither STATE_DIRECTORY nor HOME is set")

// stateFolder is where things are kept that must outlive the program, such as how the
// hub is reached, unless another is given.
func (e *env) stateFolder(given string) (string, error) {
	if given != "" {
		return given, nil
	}
	if dir, _, _ := strings.Cut(e.lookup("STATE_DIRECTORY"), ":"); dir != "" { // systemd.exec(5): several have colons between
		return dir, nil
	}
	if dir := e.lookup("XDG_CONFIG_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "camqtt"), nil
	}
	if home := e.lookup("HOME"); home != "" {
		return filepath.Join(home, ".config", "camqtt"), nil
	}
	return "", errNoState
}

// memory is where cameras remember that they are private.
type memory struct {
	folder string // "": none
	err    error  // why there is none, if one is wanted
}

// memory is that of a configuration.
func (e *env) memory(cfg *config.Config, log *slog.Logger) (m memory) {
	switch cfg.State {
	case "":
	case "auto":
		if m.folder, m.err = e.stateFolder(""); m.err != nil && len(cfg.Cameras) > 0 {
			log.Warn("privacy of cameras will not survive a restart", "err", m.err)
		}
	default:
		m.folder = cfg.State
	}
	return m
}

// of is the memory of one camera, and what ends its use; nil where none is wanted.
func (m memory) of(c config.Camera) (node.Keep, func()) {
	switch {
	case m.err != nil:
		return nowhere{m.err}, func() {}
	case m.folder == "":
		return nil, func() {}
	}
	p := memo.New(m.folder, c.ID)
	return p, p.Close
}

// nowhere remembers nothing, though it ought to.
type nowhere struct{ err error }

// Private knows of nothing.
func (nowhere) Private() (bool, error) { return false, nil }

// SetPrivate has nothing to forget.
func (n nowhere) SetPrivate(on bool) error {
	if !on {
		return nil
	}
	return fmt.Errorf("remember that the camera is private: %w. Try: a folder that camqtt can write to, with the key state or --state", n.err)
}
