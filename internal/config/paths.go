package config

import (
	"cmp"
	"os"
	"path/filepath"
	"strings"
)

// named is a key that holds the path of a file or folder.
type named struct {
	key  string
	path *string
}

// paths returns every path that was configured, however it is given.
func paths(cfg *Config) []named {
	m, p := &cfg.MQTT, &cfg.Push.TLS
	all := []named{
		{"mqtt.password_file", &m.PasswordFile},
		{"mqtt.ca_file", &m.CAFile},
		{"mqtt.cert", &m.Cert},
		{"mqtt.key", &m.Key},
		{"push.tls.cert", &p.Cert},
		{"push.tls.key", &p.Key},
		{"state", &cfg.State},
	}
	if b := cfg.Broker; b != nil {
		t := &b.TLS
		all = append(all, named{"broker.data", &b.Data}, named{"broker.unix", &b.Unix},
			named{"broker.tls.cert", &t.Cert}, named{"broker.tls.key", &t.Key},
			named{"broker.tls.client_ca", &t.ClientCA}, named{"broker.tls.acme.ca_file", &t.ACME.CAFile})
	}
	if d := cfg.Dashboard; d != nil {
		t := &d.TLS
		all = append(all, named{"dashboard.data", &d.Data},
			named{"dashboard.tls.cert", &t.Cert}, named{"dashboard.tls.key", &t.Key}, named{"dashboard.tls.client_ca", &t.ClientCA},
			named{"dashboard.session_key_file", &d.SessionKeyFile})
	}
	for i := range cfg.Cameras {
		c := &cfg.Cameras[i]
		all = append(all, named{cameraKey(c, "push_token_file"), &c.PushTokenFile})
	}
	return all
}

func cameraKey(c *Camera, member string) string {
	return camerasKey + "." + string(c.ID) + "." + member
}

// resolve makes relative paths in files relative to the file. Those in arguments and
// variables stay relative to the working directory.
func (l *loader) resolve(cfg *Config) {
	for _, n := range paths(cfg) {
		if n.key == "state" && *n.path == "auto" {
			continue
		}
		*n.path = l.relative(n.key, *n.path)
	}
	for i := range cfg.Cameras {
		c := &cfg.Cameras[i]
		if kind, folder, _ := strings.Cut(c.Source, ":"); strings.EqualFold(kind, "dir") && folder != "" {
			c.Source = kind + ":" + l.relative(cameraKey(c, "source"), folder)
		}
	}
}

// relative returns where a path leads that stands in a file. What exists at its old
// place, in the working directory, is used as long as there is nothing at the new one.
func (l *loader) relative(key, path string) string {
	from := l.at(key).file
	if path == "" || filepath.IsAbs(path) || strings.HasPrefix(path, "credential:") || !l.files[from] || l.bad[key] {
		return path
	}
	dir, state := filepath.Dir(from), l.stateFolder()
	if credentials := l.environ("CREDENTIALS_DIRECTORY"); credentials != "" && within(from, credentials) {
		// A copy, in a folder that cannot be written to: see systemd.exec(5).
		dir = state
	}
	if dir == "" || dir == "." {
		return path
	}
	now := filepath.Join(dir, path)
	if written(key) && within(from, "/etc") && !exists(now) {
		now = filepath.Join(cmp.Or(state, serviceFolder), path) // which commands find, too
	}
	if exists(now) || !exists(path) || same(now, path) {
		return now
	}
	if l.opts.Moved != nil {
		l.opts.Moved(key, path, now)
	}
	return path
}

// serviceFolder is where the hub keeps things as a service: configs/systemd.
const serviceFolder = "/var/lib/camqtt"

// stateFolder is where a service may write, "" outside of one.
func (l *loader) stateFolder() string {
	dir, _, _ := strings.Cut(l.environ("STATE_DIRECTORY"), ":")
	return dir
}

// written reports whether a key names a folder that the program writes to.
func written(key string) bool {
	return key == "broker.data" || key == "dashboard.data" || key == "state"
}

// within reports whether a file is in a folder.
func within(file, dir string) bool {
	rel, err := filepath.Rel(dir, file)
	return err == nil && filepath.IsLocal(rel)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// same reports whether two paths are written differently for one place.
func same(a, b string) bool {
	a, errA := filepath.Abs(a)
	b, errB := filepath.Abs(b)
	return errA == nil && errB == nil && a == b
}

// environ returns a variable of the environment, "" for none.
func (l *loader) environ(name string) string {
	value := ""
	for _, v := range l.opts.Environ {
		if s, ok := strings.CutPrefix(v, name+"="); ok {
			value = s
		}
	}
	return value
}
