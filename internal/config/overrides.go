package config

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"camqtt/internal/wire"
)

// assignment is one key=value argument.
type assignment struct{ key, value string }

var argumentForm = regexp.MustCompile(`^([A-Za-z0-9_.-]+)=((?s:.*))$`)

// parseArgument splits key=value; ok is false for the name of a file.
func parseArgument(s string) (a assignment, ok bool) {
	m := argumentForm.FindStringSubmatch(s)
	if m == nil {
		return a, false
	}
	return assignment{m[1], m[2]}, true
}

func (a assignment) at() origin { return origin{file: fromArguments, key: printableKey(a.key)} }

// overrides puts the values of variables and arguments into a tree that has the files.
type overrides struct{ *tree }

// addCameras adds the cameras whose sources are arguments, so that variables and
// other arguments can change them.
func (o overrides) addCameras(arguments []assignment) {
	for _, a := range arguments {
		rest, ok := strings.CutPrefix(a.key, camerasKey+".")
		which, ok2 := strings.CutSuffix(rest, ".source")
		if id, err := wire.ParseID(which); ok && ok2 && err == nil && o.camera(which) == nil {
			o.newCamera(id, a.at())
		}
	}
}

// assign puts the value of a dotted key.
func (o overrides) assign(name string, at origin, value string) {
	if rest, ok := strings.CutPrefix(name, camerasKey+"."); ok {
		which, key, _ := strings.Cut(rest, ".")
		o.assignCamera(which, key, at, value)
		return
	}
	p := place{name, name, o.values}
	section, _ := cutLast(name)
	if _, isKey := o.keys[name]; !isKey && !o.isSection(name) {
		section, p.shown = "", at.key // reported as unknown
	}
	for up, rest := "", section; rest != ""; {
		var member string
		member, rest, _ = strings.Cut(rest, ".")
		up = join(up, member)
		p.into = place{up, up, p.into}.section()
		o.note(up, at)
	}
	o.put(p, at, value)
}

// put puts a value that is written as a file would have it behind the key. Of a key with
// one value it is the text itself, of a list also words.
func (o overrides) put(p place, at origin, value string) {
	d := document{o.tree, at.file, at}
	key, isKey := o.keys[p.name]
	switch {
	case isKey && key.kind != textMap && !key.isList():
		d.put(textNode(value, 0), p, at)
	case key.isList() && !strings.HasPrefix(value, "["):
		words := &yaml.Node{Kind: yaml.SequenceNode}
		for _, word := range key.words(value) {
			words.Content = append(words.Content, textNode(word, 0))
		}
		d.put(words, p, at)
	default:
		root, fault := parse([]byte(value))
		switch {
		case fault != nil:
			o.broken = true
			o.add(at, fault.text)
		case root == nil:
			d.put(&yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null"}, p, at)
		default:
			d.put(resolveAlias(root), p, at)
		}
	}
}

// assignCamera puts one key of one camera, which is named by its id or by its
// place in the list. The source of a camera that does not exist adds it.
func (o overrides) assignCamera(which, key string, at origin, value string) {
	c := o.camera(which)
	id, err := wire.ParseID(which)
	switch {
	case key == "":
		o.add(at, "want one key of the camera: cameras.ID.KEY=VALUE")
		return
	case key == "id":
		o.add(at, "an id cannot be changed: want another camera in the file")
		return
	case c != nil:
	case err != nil:
		o.add(at, err.Error())
		return
	case key == "source":
		c = o.newCamera(id, at)
	default:
		o.addf(at, "no camera %q (%s): want its source as well, to add it", which, o.cameraNames())
		return
	}
	p := place{cameraPrefix + key, join(join(camerasKey, c.id), key), c.values}
	if _, known := o.keys[p.name]; !known {
		p.shown = at.key
	}
	o.put(p, at, value)
}

// camera is the camera with an id, or at a place in the list.
func (o overrides) camera(which string) *camera {
	c := o.find(which)
	if i, err := strconv.Atoi(which); c == nil && err == nil && i >= 0 && i < len(o.cameras) {
		c = o.cameras[i]
	}
	return c
}

// newCamera adds a camera that is in no file.
func (o overrides) newCamera(id wire.ID, at origin) *camera {
	c := o.addCamera(string(id))
	c.values["id"] = id
	o.note(camerasKey, at)
	o.note(join(camerasKey, c.id), at)
	return c
}

func (o overrides) cameraNames() string {
	if len(o.cameras) == 0 {
		return "there are none"
	}
	var ids []string
	for _, c := range o.cameras {
		ids = append(ids, c.id)
	}
	return "the cameras are " + strings.Join(ids, ", ")
}

// foreignVariable matches variables that begin with CAMQTT_ but configure nothing: the
// broker of the commands, and what Kubernetes and Docker set for a service whose name
// begins with camqtt.
var foreignVariable = regexp.MustCompile(`^CAMQTT_(BROKER|(.+_)?SERVICE_(HOST|PORT.*)|(.+_)?PORT(_\d+_.*)?)$`)

// environment puts the variables in the order of their names. The sources of cameras come
// first, because they can add the camera of other variables.
func (o overrides) environment(environ []string) {
	vars := map[string]string{}
	var sources, others []string
	for _, v := range environ {
		name, value, _ := strings.Cut(v, "=")
		if !strings.HasPrefix(name, envPrefix) || value == "" || foreignVariable.MatchString(name) {
			continue
		}
		if _, again := vars[name]; !again && strings.HasSuffix(name, "_SOURCE") {
			sources = append(sources, name)
		} else if !again {
			others = append(others, name)
		}
		vars[name] = value
	}
	slices.Sort(sources)
	slices.Sort(others)
	for _, name := range slices.Concat(sources, others) {
		o.variable(name, vars[name])
	}
}

// cameraKey is a key of one camera.
type cameraKey struct{ which, key string }

// variable puts the value of one variable.
func (o overrides) variable(name, value string) {
	at := origin{file: fromEnvironment, key: printableKey(name)}
	keys := map[string]string{envName(camerasKey): camerasKey}
	for _, k := range Keys() {
		if !strings.HasPrefix(k.Name, cameraPrefix) {
			keys[k.Env()] = k.Name
		}
	}
	if key, ok := keys[name]; ok {
		o.assign(key, at, value)
		return
	}
	if rest, ok := strings.CutPrefix(name, envName(camerasKey)+"_"); ok {
		o.cameraVariable(rest, at, value)
		return
	}
	if near := closest(name, slices.Sorted(maps.Keys(keys))); near != "" {
		o.addf(at, "unknown key (did you mean %s?)", near)
		return
	}
	o.add(at, "unknown key: want such as "+envName("broker.listen"))
}

// cameraVariable puts FRONT_DOOR_FPS. The name does not tell where the id ends, nor
// whether its "_" is a "-": the existing cameras and keys decide.
func (o overrides) cameraVariable(rest string, at origin, value string) {
	members := o.sections[cameraSection]
	var found, possible []cameraKey
	for _, key := range members {
		which, ok := strings.CutSuffix(rest, "_"+strings.ToUpper(key))
		if !ok {
			continue
		}
		possible = append(possible, cameraKey{strings.ToLower(which), key})
		for i, c := range o.cameras {
			if envName(c.id) == envPrefix+which || strconv.Itoa(i) == which && o.find(which) == nil {
				found = append(found, cameraKey{c.id, key})
			}
		}
	}
	switch {
	case len(found) > 1:
		o.addf(at, "could be %s of %s or %s of %s: want it in the file, or as an argument -c cameras.ID.KEY=VALUE",
			found[0].key, found[0].which, found[1].key, found[1].which)
	case len(possible) == 0:
		o.add(at, "unknown key: want an id and one of "+strings.ToUpper(strings.Join(members, ", ")))
	default:
		c := append(found, possible...)[0]
		o.assignCamera(c.which, c.key, at, value)
	}
}
