package config

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"camqtt/internal/brokerurl"
	"camqtt/internal/wire"
)

// Names of sources that are no files.
const (
	fromEnvironment = "environment"
	fromArguments   = "-c"
)

// at is where an argument stands.
func (a assignment) at() origin { return origin{file: fromArguments, key: shownKey(a.key)} }

// addCameras adds the cameras whose sources are arguments, so that variables and
// other arguments can be about them.
func (l *loader) addCameras(arguments []assignment) {
	for _, a := range arguments {
		rest, ok := strings.CutPrefix(a.key, camerasKey+".")
		which, ok2 := strings.CutSuffix(rest, ".source")
		if id, err := wire.ParseID(which); ok && ok2 && err == nil && l.find(which) == nil {
			l.newCamera(id, a.at())
		}
	}
}

// arguments takes key=value arguments in their order.
func (l *loader) arguments(list []assignment) {
	for _, a := range list {
		l.assign(a.key, a.at(), a.value)
	}
}

// assign puts the value of a dotted key.
func (l *loader) assign(name string, at origin, value string) {
	if rest, ok := strings.CutPrefix(name, camerasKey+"."); ok {
		id, key, _ := strings.Cut(rest, ".")
		l.assignCamera(id, key, at, value)
		return
	}
	layer := l.layer()
	up, _ := cutLast(name)
	into := layer
	key, isKey := l.shape.keys[name]
	if isKey || l.shape.isSection(name) {
		for section, rest := "", up; rest != ""; {
			var member string
			member, rest, _ = strings.Cut(rest, ".")
			section = join(section, member)
			sub := map[string]any{}
			into[member] = sub
			into = sub
			if _, given := l.origins[section]; !given {
				l.origins[section] = at
			}
		}
	}
	p := place{name, name, into}
	switch {
	case isKey && key.list:
		l.assignList(p, at, value)
	case isKey:
		l.put(p, at, value)
	case l.shape.isSection(name) || name == camerasKey:
		l.assignYAML(p, at, value)
	default:
		l.report(at, l.unknown(place{name: name, shown: at.key}))
	}
}

// assignList takes [a, b], or words with blanks between.
func (l *loader) assignList(p place, at origin, value string) {
	if strings.HasPrefix(value, "[") {
		l.assignYAML(p, at, value)
		return
	}
	var entries []entry
	for _, word := range l.shape.keys[p.name].words(value) {
		entries = append(entries, entry{at, word})
	}
	l.putList(p, at, entries)
}

// words takes apart what stands in the place of a list.
func (k Key) words(value string) []string {
	if k.several {
		return brokerurl.Words(value)
	}
	return strings.Fields(value)
}

// assignYAML takes what a file would have after the key.
func (l *loader) assignYAML(p place, at origin, value string) {
	root, fault := parse([]byte(value))
	if fault != nil {
		l.broken = true
		l.report(at, fault.text)
		return
	}
	d := doc{loader: l, file: at.file, fixed: at}
	if root == nil {
		root = nullNode()
	}
	d.member(follow(root), p, at)
}

// assignCamera puts one key of one camera, which is named by its id or by its
// place in the list. The source of one that is not there adds it.
func (l *loader) assignCamera(which, key string, at origin, value string) {
	if key == "" {
		l.report(at, "want one key of the camera: cameras.ID.KEY=VALUE")
		return
	}
	if key == "id" {
		l.report(at, "an id cannot be changed: want another camera in the file")
		return
	}
	c := l.find(which)
	id, err := wire.ParseID(which)
	switch {
	case c != nil:
	case err != nil:
		l.report(at, err.Error())
		return
	case key == "source":
		c = l.newCamera(id, at)
	default:
		l.reportf(at, "no camera %q (%s): want its source as well, to add it", which, l.roll())
		return
	}
	p := place{cameraPrefix + key, join(join(camerasKey, c.id), key), c.values}
	if _, known := l.shape.keys[p.name]; !known {
		p.shown = at.key
		l.report(at, l.unknown(p))
		return
	}
	l.put(p, at, value)
}

// find is the camera with an id, or at a place in the list.
func (l *loader) find(which string) *camera {
	c := l.camera(which)
	if i, err := strconv.Atoi(which); c == nil && err == nil && i >= 0 && i < len(l.cameras) {
		c = l.cameras[i]
	}
	return c
}

// newCamera adds a camera that is in no file.
func (l *loader) newCamera(id wire.ID, at origin) *camera {
	c := l.addCamera(string(id))
	c.values["id"] = id
	for _, key := range []string{camerasKey, join(camerasKey, c.id)} {
		if _, given := l.origins[key]; !given {
			l.origins[key] = at
		}
	}
	return c
}

// roll says which cameras there are.
func (l *loader) roll() string {
	if len(l.cameras) == 0 {
		return "there are none"
	}
	var ids []string
	for _, c := range l.cameras {
		ids = append(ids, c.id)
	}
	return "the cameras are " + strings.Join(ids, ", ")
}

// notOurs are variables that begin with CAMQTT_ but configure nothing: the broker
// that commands talk to, and what Kubernetes and Docker tell of services that are
// called camqtt-something.
var notOurs = regexp.MustCompile(`^CAMQTT_(BROKER|(.+_)?SERVICE_(HOST|PORT.*)|(.+_)?PORT(_\d+_.*)?)$`)

// environment takes the variables in the order of their names; but sources of
// cameras come first, since they may add the camera that others are about.
func (l *loader) environment(environ []string) {
	vars := map[string]string{}
	var names []string
	for _, v := range environ {
		name, value, _ := strings.Cut(v, "=")
		if !strings.HasPrefix(name, envPrefix) || value == "" || notOurs.MatchString(name) {
			continue
		}
		if _, twice := vars[name]; !twice {
			names = append(names, name)
		}
		vars[name] = value
	}
	slices.Sort(names)
	for _, first := range []bool{true, false} {
		for _, name := range names {
			if strings.HasSuffix(name, "_SOURCE") == first {
				l.variable(name, vars[name])
			}
		}
	}
}

// variable puts the value of one variable.
func (l *loader) variable(name, value string) {
	at := origin{file: fromEnvironment, key: shownKey(name)}
	var known []string
	for _, k := range Keys() {
		if strings.HasPrefix(k.Name, cameraPrefix) {
			continue
		}
		if name == k.Env() {
			l.assign(k.Name, at, value)
			return
		}
		known = append(known, k.Env())
	}
	cameras := envName(camerasKey)
	known = append(known, cameras)
	if name == cameras {
		l.assign(camerasKey, at, value)
		return
	}
	if rest, ok := strings.CutPrefix(name, cameras+"_"); ok {
		l.cameraVariable(rest, at, value)
		return
	}
	if near := closest(name, known); near != "" {
		l.reportf(at, "unknown key (did you mean %s?)", near)
		return
	}
	l.report(at, "unknown key: want such as "+envName("broker.listen"))
}

// cameraVariable puts FRONT_DOOR_FPS. Neither where the id ends nor whether its
// "_" is a "-" can be seen, so the cameras and keys that there are decide.
func (l *loader) cameraVariable(rest string, at origin, value string) {
	type match struct{ id, key string }
	var found, shaped []match
	for _, key := range l.shape.sections[strings.TrimSuffix(cameraPrefix, ".")] {
		which, ok := strings.CutSuffix(rest, "_"+strings.ToUpper(key))
		if !ok {
			continue
		}
		shaped = append(shaped, match{strings.ToLower(which), key})
		for i, c := range l.cameras {
			if envName(c.id) == envPrefix+which || strconv.Itoa(i) == which && l.camera(which) == nil {
				found = append(found, match{c.id, key})
			}
		}
	}
	switch {
	case len(found) == 1:
		l.assignCamera(found[0].id, found[0].key, at, value)
	case len(found) > 1:
		both := fmt.Sprintf("%s of %s or %s of %s", found[0].key, found[0].id, found[1].key, found[1].id)
		l.reportf(at, "could be %s: want it in the file, or as an argument -c cameras.ID.KEY=VALUE", both)
	case len(shaped) > 0:
		l.assignCamera(shaped[0].id, shaped[0].key, at, value)
	default:
		members := l.shape.sections[strings.TrimSuffix(cameraPrefix, ".")]
		l.report(at, "unknown key: want an id and one of "+strings.ToUpper(strings.Join(members, ", ")))
	}
}
