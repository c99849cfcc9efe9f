package config

import (
	"cmp"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/viper"

	"camqtt/internal/securefile"
)

// paths makes the paths of a configuration those that the program opens.
type paths struct {
	*tree
	v *viper.Viper
	o Options
}

// resolve goes through all keys with paths.
func (p paths) resolve() {
	for _, k := range Keys() {
		section, member := cutLast(k.Name)
		switch {
		case !k.isPath():
		case section == cameraSection:
			for _, c := range p.cameras {
				path, _ := c.values[member].(string)
				c.values[member] = p.path(k, join(join(camerasKey, c.id), member), path)
			}
		case p.v.IsSet(k.Name):
			p.v.Set(k.Name, p.path(k, k.Name, p.v.GetString(k.Name)))
		}
	}
	for _, c := range p.cameras {
		source, _ := c.values["source"].(string)
		if kind, dir, _ := strings.Cut(source, ":"); strings.EqualFold(kind, "dir") && dir != "" {
			c.values["source"] = kind + ":" + p.relative(join(join(camerasKey, c.id), "source"), dir, false)
		}
	}
}

// path is where a key leads, whose name in messages is shown.
func (p paths) path(k Key, shown, path string) string {
	if k.Name == "state" && path == "auto" {
		return path
	}
	path = p.relative(shown, path, k.kind == writePath)
	if p.o.ClientOnly && !strings.HasPrefix(shown, "mqtt.") {
		return path
	}
	file, err := securefile.LocateSecret(path, p.o.variable("CREDENTIALS_DIRECTORY"))
	if err != nil {
		p.refused[shown] = true
		p.add(p.at(shown), err.Error())
		return path
	}
	return file
}

// relative returns where a path leads that stands in a file: relative paths are relative
// to the file. A path that exists at its old place, in the working directory, is used as
// long as there is nothing at the new place. Paths in arguments and variables are relative
// to the working directory.
func (p paths) relative(key, path string, written bool) string {
	from := p.at(key)
	if path == "" || filepath.IsAbs(path) || strings.HasPrefix(path, "credential:") || from.line == 0 || p.refused[key] {
		return path
	}
	dir, state := filepath.Dir(from.file), p.stateFolder()
	if credentials := p.o.variable("CREDENTIALS_DIRECTORY"); credentials != "" && within(from.file, credentials) {
		dir = state // the file is a copy in a read-only folder: systemd.exec(5)
	}
	if dir == "" || dir == "." {
		return path
	}
	now := filepath.Join(dir, path)
	if written && within(from.file, "/etc") && !exists(now) {
		now = filepath.Join(cmp.Or(state, serviceFolder), path) // where commands find it, too
	}
	if exists(now) || !exists(path) || samePath(now, path) {
		return now
	}
	if p.o.Moved != nil {
		p.o.Moved(key, path, now)
	}
	return path
}

// serviceFolder is the folder of the hub's service: configs/systemd.
const serviceFolder = "/var/lib/camqtt"

// stateFolder is where a service may write, "" outside of one.
func (p paths) stateFolder() string {
	dir, _, _ := strings.Cut(p.o.variable("STATE_DIRECTORY"), ":")
	return dir
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

func samePath(a, b string) bool {
	a, errA := filepath.Abs(a)
	b, errB := filepath.Abs(b)
	return errA == nil && errB == nil && a == b
}
