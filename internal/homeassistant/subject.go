package homeassistant

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"unicode"

	"camqtt/internal/wire"
)

const (
	vendor   = "camqtt"
	maxText  = wire.MaxNameLength // of a text for people, in characters
	maxSizes = 32                 // offered for choice
	maxEvery = 7 * 86400          // longest time between stats that is believed, in seconds
)

// What may be in wire.Info.Caps, as far as Home Assistant is concerned.
const (
	capFPS     = "fps"
	capSize    = "size"
	capQuality = "quality"
	capFlash   = "flash"
	capMotion  = "motion" // publishes motion and the events about it
)

// subject is the camera that is being described. Whatever came from the camera
// is clean in it: texts are short and printable, sizes are sizes.
type subject struct {
	opts    Options
	id      wire.ID
	name    string
	make    string
	model   string
	serial  string
	machine string // the camera's own hardware, or the machine it is part of
	area    string // where it stands, as people call it
	version string
	sizes   []string
	caps    []string
	sensors []string
	maxFPS  float64
	topFPS  float64
	every   float64 // seconds between stats; 0 is not known
	bridge  wire.ID // "" is none
}

// newSubject reads what is known of a camera. It fails on a wrong id.
func newSubject(o Options, info wire.Info) (subject, error) {
	id, err := wire.ParseID(string(info.ID))
	if err != nil {
		return subject{}, err
	}
	s := subject{
		opts: o, id: id, name: clean(info.Name), version: clean(info.Version),
		make: clean(info.Make), model: clean(info.Model), serial: clean(info.Serial), machine: clean(info.Hardware),
		area: clean(cmp.Or(info.Labels["area"], info.Labels["room"])),
		caps: info.Caps, sensors: info.Sensors, maxFPS: info.MaxFPS, topFPS: wire.MaxFPS,
	}
	if f := info.TopFPS; f > 0 && f < wire.MaxFPS {
		s.topFPS = f
	}
	if e := info.StatsEvery; e > 0 && e < maxEvery {
		s.every = e
	}
	if bridge, err := wire.ParseID(string(info.Bridge)); err == nil {
		s.bridge = bridge
	}
	if s.name == "" {
		s.name = string(id)
	}
	if kind := clean(info.Source); s.model == "" && kind != "" {
		s.model = kind + " camera"
	}
	for _, text := range info.Sizes {
		// Written anew, for sizes go into a template: the camera's own text
		// would be a program that Home Assistant runs.
		size, err := wire.ParseSize(text)
		if err == nil && len(s.sizes) < maxSizes && !slices.Contains(s.sizes, size.String()) {
			s.sizes = append(s.sizes, size.String())
		}
	}
	return s, nil
}

func (s subject) topic(k wire.Kind) string { return s.opts.Base.Topic(s.id, k) }

func (s subject) setTopic(key wire.Setting) string { return s.opts.Base.SetTopic(s.id, string(key)) }

func (s subject) can(what string) bool { return slices.Contains(s.caps, what) }

// senses reports whether the camera's stats have a reading.
func (s subject) senses(what string) bool { return slices.Contains(s.sensors, what) }

// device returns what the entities of the camera have in common.
func (s subject) device() (device, error) {
	d := device{
		Identifiers: []string{string(CameraObject(s.id))}, Name: s.name, Manufacturer: s.make, Model: s.model,
		SerialNumber: s.serial, HWVersion: s.machine, SWVersion: s.version, SuggestedArea: s.area,
	}
	link, err := s.opts.dashboard()
	if err != nil {
		return d, err
	}
	if link != "" {
		d.ConfigurationURL = link + "/#" + string(s.id)
	}
	switch {
	case s.bridge != "":
		d.ViaDevice = string(BridgeObject(s.bridge))
	case s.opts.Hub:
		d.ViaDevice = string(HubObject)
	}
	return d, nil
}

func newOrigin(version string) origin { return origin{Name: vendor, SWVersion: clean(version)} }

// reachable is the availability of what can be seen: a sleeping camera's last
// picture and state are good. Other values than online and offline would leave
// Home Assistant at what it believed before.
func (s subject) reachable() []availability {
	return []availability{{
		Topic:         s.topic(wire.KindStatus),
		ValueTemplate: either("value == '"+wire.Offline+"'", wire.Offline, wire.Online),
	}}
}

// awake is the availability of what can be done: a sleeping camera hears
// nothing.
func (s subject) awake() []availability {
	return []availability{{
		Topic:         s.topic(wire.KindStatus),
		ValueTemplate: either("value == '"+wire.Online+"'", wire.Online, wire.Offline),
	}}
}

// public is the availability of what a camera refuses while it is private.
func (s subject) public() []availability {
	return []availability{{
		Topic:         s.topic(wire.KindState),
		ValueTemplate: either("value_json.privacy", wire.Offline, wire.Online),
	}}
}

// need makes an entity available only while all of several are.
func (c *component) need(all ...[]availability) {
	c.Availability, c.AvailabilityMode = slices.Concat(all...), "all"
}

// always is the availability of what shows whether the camera is there.
func always() []availability { return []availability{} }

// qos is the greatest of the kinds an entity listens to or publishes on:
// Home Assistant uses one for all of them.
func qos(kinds ...wire.Kind) (q byte) {
	for _, k := range kinds {
		q = max(q, wire.ChannelOf(k).QoS)
	}
	return q
}

// expiry returns after how many seconds a value from stats is too old, or 0.
func (s subject) expiry() int {
	return int(math.Ceil(3 * s.every))
}

// either is a template that is one of two texts.
func either(condition, yes, no string) string {
	return "{{ '" + yes + "' if " + condition + " else '" + no + "' }}"
}

// field is a template of one key of a JSON payload. Home Assistant shows what
// is null or missing as unknown.
func field(key string) string { return "{{ value_json." + key + " | default(none) }}" }

// clean makes a text from outside fit to be read by people: one line of at most
// maxText printable characters.
func clean(s string) string {
	var b strings.Builder
	n := 0
	for _, r := range strings.TrimSpace(s) {
		if r == unicode.ReplacementChar || !unicode.IsGraphic(r) {
			continue
		}
		if n++; n > maxText {
			break
		}
		b.WriteRune(r)
	}
	return strings.TrimSpace(b.String())
}

// slug makes an id fit for an entity id, which has neither hyphens nor double
// or trailing underscores.
func slug(id string) string {
	words := strings.FieldsFunc(id, func(r rune) bool { return r == '-' || r == '_' })
	return strings.Join(words, "_")
}
