package app

import "runtime/debug"

// Version returns the program's version and commit, as the Go tool noted them
// in the binary.
func Version() (number, commit string) {
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
