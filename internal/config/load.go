package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/go-viper/mapstructure/v2"
	"github.com/spf13/viper"
	"go.yaml.in/yaml/v3"

	"camqtt/internal/securefile"
	"camqtt/internal/wire"
)

// Options says what a configuration is made of. The zero value has only defaults, and
// nothing to run.
type Options struct {
	// Sources are YAML files and key=value arguments. Later files override
	// earlier ones key by key; a camera with the id of an earlier one changes
	// that one. Arguments override the environment, which overrides files. Keys
	// are dotted: broker.listen=0.0.0.0:1883. A camera's keys have its id or its
	// place in the list, counted from 0: cameras.front.fps=5; its source adds
	// the camera when there is none. A section or a list takes YAML; lists also
	// take words with blanks between. A key of the broker or the dashboard
	// turns it on, from any source, and so does "dashboard=" with its
	// defaults. A file whose name looks like an argument needs ./ in front.
	Sources []string
	// Environ is the environment as of os.Environ; nil is none. Variables that
	// begin with CAMQTT_ count, unless they are empty, are CAMQTT_BROKER, which
	// belongs to the commands, or were set by an orchestrator for a
	// service that is called camqtt.
	Environ []string
	// ReadFile reads configuration files, secrets and certificates; those that a
	// file names are relative to it. nil reads the file system, up to 1 MiB, and
	// refuses secrets that others may read.
	ReadFile func(name string) ([]byte, error)
	// CheckSource checks a source whose scheme is known, with the camera's rotate;
	// nil accepts all. Its errors must hold no password.
	CheckSource func(cam Camera, base wire.Base) error
	// Moved, if set, is told of a relative path that is used as one of the working
	// directory, as it was in earlier versions, because there is something there and
	// nothing where it leads now.
	Moved func(key, used, now string)
	// ClientOnly is for commands that need to reach a broker only: a
	// configuration with nothing to run is accepted, and certificates of servers
	// are not read.
	ClientOnly bool
	// Given, unless nil, gets the keys of each camera that came as arguments or from the
	// environment: they are meant for this start.
	Given map[wire.ID][]string
}

// variable returns a variable of the environment, "" for none.
func (o Options) variable(name string) (value string) {
	for _, v := range o.Environ {
		if s, ok := strings.CutPrefix(v, name+"="); ok {
			value = s
		}
	}
	return value
}

// maxFile is the size of the largest file that is read, in bytes.
const maxFile = 1 << 20

// Load reads, merges and checks a configuration. Everything that is wrong with it comes
// back at once as [Problems]; any other error is a fault of the program.
func Load(o Options) (*Config, error) {
	readSecret := o.ReadFile
	if o.ReadFile == nil {
		o.ReadFile, readSecret = readFile, securefile.ReadSecret
	}
	t := &tree{report: newReport(), table: newTable(), values: map[string]any{}}
	t.readSources(o)
	v, err := t.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("merge the configuration: %w", err)
	}
	if !t.broken {
		paths{tree: t, v: v, o: o}.resolve()
	}
	cfg, err := t.decode(v)
	if err != nil {
		return nil, fmt.Errorf("merge the configuration: %w", err)
	}
	noteGiven(t, o.Given)
	if !t.broken {
		(&checker{report: t.report, Config: cfg, o: o, readSecret: readSecret}).check()
	}
	if len(t.problems) > 0 {
		return nil, t.sorted(credentials{folder: o.variable("CREDENTIALS_DIRECTORY"), root: "/"})
	}
	return cfg, nil
}

// readSources puts all sources into the tree.
func (t *tree) readSources(o Options) {
	var arguments []assignment
	for _, s := range o.Sources {
		if a, ok := parseArgument(s); ok {
			arguments = append(arguments, a)
			continue
		}
		t.readFile(s, o.ReadFile)
	}
	over := overrides{t}
	over.addCameras(arguments)
	over.environment(o.Environ)
	for _, a := range arguments {
		over.assign(a.key, a.at(), a.value)
	}
}

// readFile puts a YAML file into the tree.
func (t *tree) readFile(name string, read func(string) ([]byte, error)) {
	b, err := read(name)
	if err != nil {
		t.broken = true
		t.add(origin{file: name}, "cannot be read: "+reason(err))
		return
	}
	root, fault := parse(b)
	if fault != nil {
		t.broken = true
		t.add(origin{file: name, line: fault.line}, fault.text)
		return
	}
	t.note("", origin{file: name, line: 1})
	d := document{tree: t, file: name}
	switch {
	case isNull(root):
	case root.Kind != yaml.MappingNode:
		t.broken = true
		t.add(d.at(root, ""), "want keys such as broker:, dashboard: and cameras:")
	default:
		d.members(root, place{into: t.values})
	}
}

// withDefaults gives the values of the tree, and defaults for those that are missing. The
// broker and the dashboard exist only where they are given.
func (t *tree) withDefaults() (*viper.Viper, error) {
	v := viper.New()
	camera := map[string]any{}
	for _, k := range Keys() {
		def, err := k.value()
		if err != nil {
			return nil, fmt.Errorf("default of %s: %w", k.Name, err)
		}
		top, _, _ := strings.Cut(k.Name, ".")
		_, given := t.values[top]
		switch section, member := cutLast(k.Name); {
		case section == cameraSection:
			camera[member] = def
		case given || top != "broker" && top != "dashboard":
			v.SetDefault(k.Name, def)
		}
	}
	for _, c := range t.cameras {
		values := maps.Clone(camera)
		maps.Copy(values, c.values)
		if values["name"] == "" {
			values["name"] = c.id
		}
		c.values = values
	}
	return v, v.MergeConfigMap(t.values)
}

// decode fills the fields.
func (t *tree) decode(v *viper.Viper) (*Config, error) {
	var list []any
	for _, c := range t.cameras {
		settings := map[string]any{}
		for _, row := range wire.SettingRows() {
			if key := string(row.Setting); row.Passed {
				settings[key] = c.values[key]
				delete(c.values, key)
			}
		}
		c.values["settings"] = settings
		list = append(list, c.values)
	}
	v.Set(camerasKey, list)
	cfg := &Config{}
	return cfg, v.UnmarshalExact(cfg, func(d *mapstructure.DecoderConfig) {
		d.TagName, d.WeaklyTypedInput, d.DecodeHook = "yaml", false, nil
	})
}

// noteGiven notes which keys of cameras came as arguments or from the environment.
func noteGiven(t *tree, given map[wire.ID][]string) {
	if given == nil {
		return
	}
	for _, c := range t.cameras {
		for _, shown := range slices.Sorted(maps.Keys(t.origins)) {
			at := t.origins[shown].file
			key, ok := strings.CutPrefix(shown, join(camerasKey, c.id)+".")
			if ok && (at == fromArguments || at == fromEnvironment) {
				given[wire.ID(c.id)] = append(given[wire.ID(c.id)], key)
			}
		}
	}
}

func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() // only read from
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(b) > maxFile {
		err = &fs.PathError{Op: "read", Path: name, Err: fmt.Errorf("larger than %d bytes", maxFile)}
	}
	return b, err
}

// reason is why a file could not be read, without the file's name.
func reason(err error) string {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err.Error()
	}
	return err.Error()
}
