package vmtest

import (
	"bytes"
	"debug/elf"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// module is a file to load, and with what.
type module struct {
	File   string // in the machine
	Params string
	from   string // the file here
	data   []byte
}

// load lists modules, each written "name params", after all that they need, in
// the order in which they must be loaded.
func (k *Kernel) load(wanted []string) ([]module, error) {
	files, err := k.index()
	if err != nil {
		return nil, err
	}
	var all []module
	seen := map[string]bool{}
	var add func(name, params string) error
	add = func(name, params string) error {
		name = strings.ReplaceAll(name, "-", "_")
		if seen[name] {
			return nil
		}
		seen[name] = true
		path, ok := files[name]
		if !ok {
			return fmt.Errorf("kernel %s has no module %s", k.Version, name)
		}
		if path == "" {
			return nil // built in
		}
		data, err := readModule(path)
		if err != nil {
			return err
		}
		needs, err := needed(data)
		if err != nil {
			return fmt.Errorf("module %s: %w", path, err)
		}
		for _, n := range needs {
			if err := add(n, ""); err != nil {
				return fmt.Errorf("module %s needs: %w", name, err)
			}
		}
		all = append(all, module{File: "/modules/" + name + ".ko", Params: params, from: path, data: data})
		return nil
	}
	for _, w := range wanted {
		name, params, _ := strings.Cut(w, " ")
		if err := add(name, params); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// index maps the names of modules to their files; "" are those built in.
func (k *Kernel) index() (map[string]string, error) {
	files := map[string]string{}
	name := func(path string) (string, bool) {
		base, _, ok := strings.Cut(filepath.Base(path), ".ko")
		return strings.ReplaceAll(base, "-", "_"), ok
	}
	builtin, err := os.ReadFile(filepath.Join(k.modules, "modules.builtin"))
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(builtin)) {
		if n, ok := name(strings.TrimSpace(line)); ok {
			files[n] = ""
		}
	}
	err = filepath.WalkDir(k.modules, func(path string, d fs.DirEntry, err error) error {
		if n, ok := name(path); err == nil && ok && !d.IsDir() {
			files[n] = path
		}
		return err
	})
	return files, err
}

// readModule reads a module, unpacked if newer Debians have packed it.
func readModule(path string) ([]byte, error) {
	if strings.HasSuffix(path, ".xz") {
		data, err := exec.Command("xz", "-dc", path).Output()
		if err != nil {
			return nil, fmt.Errorf("unpack %s with xz (Debian package xz-utils): %w", path, err)
		}
		return data, nil
	}
	return os.ReadFile(path)
}

// needed names what a module needs by its own description.
func needed(data []byte) ([]string, error) {
	f, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	section := f.Section(".modinfo")
	if section == nil {
		return nil, fmt.Errorf("it has no description")
	}
	info, err := section.Data()
	if err != nil {
		return nil, err
	}
	var needs []string
	for field := range bytes.SplitSeq(info, []byte{0}) {
		if list, ok := strings.CutPrefix(string(field), "depends="); ok && list != "" {
			needs = append(needs, strings.Split(list, ",")...)
		}
	}
	return needs, nil
}
