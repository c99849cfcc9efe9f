package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/go-viper/mapstructure/v2"
	"github.com/spf13/viper"

	"camqtt/internal/securefile"
	"camqtt/internal/wire"
)

// Options says what a configuration is made of. The zero value is one of
// defaults alone, which has nothing to run.
type Options struct {
	// Sources are YAML files and key=value arguments. Later files overrule
	// earlier ones key by key; a camera with the id of an earlier one changes
	// that one. Arguments overrule the environment, which overrules files. Keys
	// are dotted: broker.listen=0.0.0.0:1883. A camera's have its id or its
	// place in the list, counted from 0: cameras.front.fps=5; its source adds
	// the camera when there is none. A section or a list takes YAML; lists also
	// take words with blanks between. Any key of the broker or the dashboard
	// turns it on, from wherever it comes, and "dashboard=" does with its
	// defaults. A file whose name looks like an argument needs ./ in front.
	Sources []string
	// Environ is the environment as of os.Environ; nil is none. Variables that
	// begin with CAMQTT_ count, unless they are empty, are CAMQTT_BROKER, which
	// belongs to the commands, or were put there by an orchestrator for a
	// service that is called camqtt.
	Environ []string
	// ReadFile reads configuration files, secrets and certificates; those that a
	// file names are relative to it. nil reads the file system, up to 1 MiB, and
	// refuses secrets that others may read.
	ReadFile func(name string) ([]byte, error)
	// CheckSource looks closer at a source whose scheme is known, with the
	// camera's rotate; nil accepts all. Its errors must hold no password.
	CheckSource func(source, rotate string) error
	// Moved, if set, is told of a relative path that is used as one of the working
	// directory, as it was in earlier versions, because there is something there and
	// nothing where it leads now.
	Moved func(key, used, now string)
	// ClientOnly is for commands that need to reach a broker only: a
	// configuration with nothing to run is fine, and certificates of servers
	// are not read.
	ClientOnly bool
	// Given, unless nil, gets the keys of each camera that came as arguments or from the
	// environment: they are meant for this start.
	Given map[wire.ID][]string
}

// maxFile is the largest file read, in bytes.
const maxFile = 1 << 20

// Load reads, merges and checks a configuration. What is wrong with it comes
// back as [Problems], all of it at once; any other error is a fault of the
// program.
func Load(o Options) (*Config, error) {
	readSecret := o.ReadFile
	if o.ReadFile == nil {
		o.ReadFile, readSecret = readFile, securefile.ReadSecret
	}
	l := &loader{
		opts: o, readSecret: readSecret, shape: newShape(),
		origins: map[string]origin{}, bad: map[string]bool{}, files: map[string]bool{},
	}
	var arguments []assignment
	for _, s := range o.Sources {
		if a, ok := argument(s); ok {
			arguments = append(arguments, a)
			continue
		}
		l.file(s)
	}
	l.addCameras(arguments)
	l.environment(o.Environ)
	l.arguments(arguments)
	cfg, err := l.merge()
	if err != nil {
		return nil, fmt.Errorf("merge the configuration: %w", err)
	}
	l.noteGiven(cfg)
	if !l.broken {
		l.resolve(cfg)
		l.check(cfg)
	}
	if len(l.problems) > 0 {
		l.problems.sort()
		return nil, l.problems
	}
	return cfg, nil
}

// noteGiven notes which keys of cameras came as arguments or from the environment.
func (l *loader) noteGiven(cfg *Config) {
	if l.opts.Given == nil {
		return
	}
	for i := range cfg.Cameras {
		id := cfg.Cameras[i].ID
		prefix := join(camerasKey, string(id)) + "."
		for _, shown := range slices.Sorted(maps.Keys(l.origins)) {
			at := l.origins[shown].file
			if key, ok := strings.CutPrefix(shown, prefix); ok && (at == fromArguments || at == fromEnvironment) {
				l.opts.Given[id] = append(l.opts.Given[id], key)
			}
		}
	}
}

// loader collects values and what is wrong with them.
type loader struct {
	opts       Options
	readSecret func(name string) ([]byte, error)

	shape   shape
	layers  []map[string]any  // of each source but for cameras, later ones overrule
	cameras []*camera         // in the order of appearance
	origins map[string]origin // of each key and section that was given, by shown name
	bad     map[string]bool   // keys whose last value was refused
	files   map[string]bool   // names of the files that were read

	problems Problems
	broken   bool // a source is missing as a whole, so nothing follows from what is not there
}

// camera is what is known of one camera while sources are read.
type camera struct {
	id     string
	values map[string]any
}

func (l *loader) report(at origin, text string) { l.problems = append(l.problems, at.problem(text)) }

func (l *loader) reportf(at origin, format string, args ...any) {
	l.report(at, fmt.Sprintf(format, args...))
}

// layer begins a new layer and returns it.
func (l *loader) layer() map[string]any {
	m := map[string]any{}
	l.layers = append(l.layers, m)
	return m
}

// camera returns the camera with an id, nil when there is none.
func (l *loader) camera(id string) *camera {
	for _, c := range l.cameras {
		if c.id == id {
			return c
		}
	}
	return nil
}

// addCamera makes a camera. One without an id is in nobody's way: it was
// reported.
func (l *loader) addCamera(id string) *camera {
	c := &camera{id: id, values: map[string]any{}}
	if id != "" {
		l.cameras = append(l.cameras, c)
	}
	return c
}

// place is where a value belongs.
type place struct {
	name  string         // in the shape: cameras.<id>.fps
	shown string         // to people: cameras.front.fps
	into  map[string]any // the section it is a member of
}

// put parses the text of one value and keeps the result.
func (l *loader) put(p place, at origin, text string) {
	l.origins[p.shown] = at
	v, err := l.shape.keys[p.name].parse(text)
	l.bad[p.shown] = err != nil
	if err != nil {
		l.report(at, err.Error())
		return
	}
	_, member := cutLast(p.name)
	p.into[member] = v
}

// entry is one element of a list.
type entry struct {
	at   origin
	text string
}

// putList parses the texts of a list and keeps the result, unless an element is
// refused.
func (l *loader) putList(p place, at origin, entries []entry) {
	l.origins[p.shown] = at
	l.bad[p.shown] = false
	list := []string{}
	for _, e := range entries {
		v, err := l.shape.keys[p.name].parse(e.text)
		s, ok := v.(string)
		if err != nil || !ok {
			l.bad[p.shown] = true
			l.report(e.at, err.Error())
			continue
		}
		list = append(list, s)
	}
	if !l.bad[p.shown] {
		_, member := cutLast(p.name)
		p.into[member] = list
	}
}

// merge lays the layers over the defaults.
func (l *loader) merge() (*Config, error) {
	v := viper.New()
	blank := map[string]any{} // a camera of defaults
	for _, k := range Keys() {
		def, err := k.fallback()
		if err != nil {
			return nil, fmt.Errorf("default of %s: %w", k.Name, err)
		}
		if up, member := cutLast(k.Name); up+"." == cameraPrefix {
			blank[member] = def
		} else {
			v.SetDefault(k.Name, def)
		}
	}
	for _, layer := range l.layers {
		if err := v.MergeConfigMap(layer); err != nil {
			return nil, err
		}
	}
	// A list is replaced as a whole by what overrules it, so cameras were merged
	// by id before.
	list := []any{}
	for _, c := range l.cameras {
		m := maps.Clone(blank)
		m["name"] = c.id
		maps.Copy(m, c.values)
		if m["name"] == "" {
			m["name"] = c.id
		}
		list = append(list, m)
	}
	v.Set(camerasKey, list)
	cfg := &Config{}
	err := v.UnmarshalExact(cfg, func(d *mapstructure.DecoderConfig) {
		d.TagName, d.WeaklyTypedInput, d.DecodeHook = "key", false, nil
	})
	if err != nil {
		return nil, err
	}
	// The defaults of a section do not make it exist.
	if !v.InConfig("broker") {
		cfg.Broker = nil
	}
	if !v.InConfig("dashboard") {
		cfg.Dashboard = nil
	}
	if len(cfg.Cameras) == 0 {
		cfg.Cameras = nil
	}
	return cfg, nil
}

// fallback is the default as a value.
func (k Key) fallback() (any, error) {
	switch {
	case k.list:
		return strings.Fields(strings.NewReplacer("[", "", "]", "", ",", " ").Replace(k.Default)), nil
	case k.Default == "": // must be given: what stands here is never used
		return "", nil
	case k.Default == `""`:
		return k.parse("")
	}
	return k.parse(k.Default)
}

// assignment is the value of one key in an argument or a variable.
type assignment struct{ key, value string }

var argumentForm = regexp.MustCompile(`^([A-Za-z0-9_.-]+)=((?s:.*))$`)

// argument takes key=value apart; ok is false for what must be a file.
func argument(s string) (a assignment, ok bool) {
	m := argumentForm.FindStringSubmatch(s)
	if m == nil {
		return a, false
	}
	return assignment{m[1], m[2]}, true
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
