package config

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// credentials are the copies of files that systemd makes for a service, see
// systemd.exec(5). A person edits the original, so that is what problems name.
type credentials struct {
	folder string // CREDENTIALS_DIRECTORY: its last part is the unit's name
	root   string // of the file system
}

// originals replaces the copies in a text by their originals.
func (c credentials) originals(text string) string {
	if c.folder == "" {
		return text
	}
	copies := regexp.MustCompile(regexp.QuoteMeta(filepath.Clean(c.folder)) + `/[A-Za-z0-9_.-]*[A-Za-z0-9_-]`)
	return copies.ReplaceAllStringFunc(text, func(path string) string {
		name, unit := filepath.Base(path), filepath.Base(c.folder)
		if file := c.source(unit, name); file != "" {
			return file
		}
		return "credential " + name + " of " + unit
	})
}

// source is the file that the unit loads a credential from; "" when the unit does not say.
func (c credentials) source(unit, name string) (file string) {
	setting := regexp.MustCompile(`(?m)^\s*LoadCredential(?:Encrypted)?\s*=\s*` + regexp.QuoteMeta(name) + `:(/\S+)\s*$`)
	for _, dir := range []string{"/usr/lib", "/lib", "/usr/local/lib", "/run", "/etc"} { // the last one wins
		path := filepath.Join(c.root, dir, "systemd/system", unit)
		dropIns, _ := filepath.Glob(path + ".d/*.conf") // the pattern is well-formed
		for _, unitFile := range append([]string{path}, dropIns...) {
			text, err := os.ReadFile(unitFile)
			if m := setting.FindStringSubmatch(string(text)); err == nil && m != nil {
				file = strings.ReplaceAll(m[1], "%%", "%")
			}
		}
	}
	return file
}
