package app

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"strings"

	"camqtt/internal/brokerurl"
	"camqtt/internal/config"
	"camqtt/internal/privacystore"
	"camqtt/node"
)

// errNoState is that nothing says where to keep things.
var errNoState = errors.New("there is no folder for it, for neither STATE_DIRECTORY nor HOME is set")

// Environment is the environment of a process, in the form KEY=value.
type Environment []string

// Get returns a variable; "" is unset.
func (e Environment) Get(key string) string {
	for _, kv := range e {
		if k, v, ok := strings.Cut(kv, "="); ok && k == key {
			return v
		}
	}
	return ""
}

// StateFolder is the folder for what must outlive the program, such as how a node reaches
// its hub.
func (e Environment) StateFolder() (string, error) {
	if dir := e.serviceFolder(); dir != "" {
		return dir, nil
	}
	if dir := e.Get("XDG_CONFIG_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "camqtt"), nil
	}
	if home := e.Get("HOME"); home != "" {
		return filepath.Join(home, ".config", "camqtt"), nil
	}
	return "", errNoState
}

// serviceFolder is the folder that a service manager has made for this program alone; ""
// is none.
func (e Environment) serviceFolder() string {
	dir, _, _ := strings.Cut(e.Get("STATE_DIRECTORY"), ":") // systemd.exec(5): several have colons between
	return dir
}

// memory is where cameras keep privacy and settings through a restart.
type memory struct {
	folder string // "": none
	err    error  // why there is none, if one is wanted
}

// newMemory is that of a configuration.
func newMemory(e Environment, cfg *config.Config, log *slog.Logger) (m memory) {
	switch {
	case cfg.State != "auto":
		m.folder = cfg.State
	case cfg.Broker != nil:
		m.folder = cfg.Broker.Data
	default:
		m.folder, m.err = e.StateFolder()
		if m.err != nil && len(cfg.Cameras) > 0 {
			log.Warn("privacy of cameras will not survive a restart", "err", m.err)
		}
		if m.err == nil && e.serviceFolder() == "" && len(cfg.MQTT.URL) > 0 {
			m.folder = filepath.Join(m.folder, brokerName(cfg.MQTT.URL[0]))
		}
	}
	return m
}

// brokerName names a folder for what belongs to a broker, in one that is shared by all
// programs of a user: two of them may have cameras of one id at two brokers. A host's
// encrypted port is the same broker; on this machine each port is one.
func brokerName(address string) string {
	u, err := brokerurl.Parse(address)
	if err != nil {
		return "broker"
	}
	name := u.Hostname()
	switch ip, err := netip.ParseAddr(name); {
	case u.Scheme == "unix":
		name = u.Path
	case err == nil && ip.IsLoopback(), name == "localhost":
		name = u.Host
	}
	return "at-" + strings.Map(func(r rune) rune {
		if strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789.:-_", r) {
			return r
		}
		return '-'
	}, strings.ToLower(name))
}

// of is the memory of one camera, and what ends its use; nil where none is wanted.
func (m memory) of(c config.Camera) (node.Store, func()) {
	switch {
	case m.err != nil:
		return nowhere{m.err}, func() {}
	case m.folder == "":
		return nil, func() {}
	}
	p := privacystore.New(m.folder, c.ID)
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
	return fmt.Errorf("%w. Try: a folder, with the key state or --state", n.err)
}

// Settings knows of nothing.
func (nowhere) Settings() ([]byte, error) { return nil, nil }

// SetSettings cannot remember.
func (n nowhere) SetSettings([]byte) error {
	return fmt.Errorf("%w. Try: a folder, with the key state or --state", n.err)
}
