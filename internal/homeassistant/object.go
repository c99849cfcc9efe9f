package homeassistant

import (
	"strings"

	"camqtt/internal/wire"
)

// Object is a device in discovery topics and identifiers: a camera, a bridge or
// the hub. The three cannot be mistaken for each other, because a camera's id
// begins with a letter or digit.
type Object string

// HubObject is the hub.
const HubObject Object = vendor + "__hub"

// CameraObject is the camera with an id.
func CameraObject(id wire.ID) Object { return Object(vendor + "_" + string(id)) }

// BridgeObject is the bridge with an id.
func BridgeObject(id wire.ID) Object { return Object(vendor + "-" + string(id)) }

// Camera returns the id of a camera; false: it is none.
func (x Object) Camera() (wire.ID, bool) { return x.after(vendor + "_") }

// Bridge returns the id of a bridge; false: it is none.
func (x Object) Bridge() (wire.ID, bool) { return x.after(vendor + "-") }

func (x Object) after(prefix string) (wire.ID, bool) {
	name, is := strings.CutPrefix(string(x), prefix)
	id, err := wire.ParseID(name)
	return id, is && err == nil
}

// valid reports whether it is one of the three.
func (x Object) valid() bool {
	_, camera := x.Camera()
	_, bridge := x.Bridge()
	return camera || bridge || x == HubObject
}

// places returns every place at which an object has ever been described.
func (x Object) places() []place {
	if _, camera := x.Camera(); camera {
		return places()
	}
	return []place{snapAllPlace()}
}

// Clear returns the empty messages that remove an object from Home Assistant and
// from the broker, whatever the mode in which it was described. An object that
// cannot be gives none.
func (o Options) Clear(x Object) []wire.Message {
	return append(o.clearWhole(x), o.clearSingle(x)...)
}

// Stale returns the empty messages that remove what was described in other
// modes than this one, and nothing that is published in this mode. See [Migrate].
func (o Options) Stale(x Object) []wire.Message {
	switch o.mode() {
	case Device:
		return o.clearSingle(x)
	case Component:
		return o.clearWhole(x)
	}
	return o.Clear(x)
}

// Current returns the empty messages for what is published in this mode.
func (o Options) Current(x Object) []wire.Message {
	switch o.mode() {
	case Device:
		return o.clearWhole(x)
	case Component:
		return o.clearSingle(x)
	}
	return nil
}

func (o Options) clearWhole(x Object) []wire.Message {
	if !x.valid() || checkPrefix(o.prefix()) != nil {
		return nil
	}
	return []wire.Message{retained(o.deviceTopic(x), nil)}
}

func (o Options) clearSingle(x Object) []wire.Message {
	if !x.valid() || checkPrefix(o.prefix()) != nil {
		return nil
	}
	var msgs []wire.Message
	for _, p := range x.places() {
		msgs = append(msgs, retained(o.entityTopic(x, p), nil))
	}
	return msgs
}

func (o Options) deviceTopic(x Object) string {
	return o.prefix() + "/device/" + string(x) + "/config"
}

func (o Options) entityTopic(x Object, p place) string {
	return o.prefix() + "/" + p.platform + "/" + string(x) + "/" + p.key + "/config"
}

// Filters returns what to subscribe to in order to see all that any mode has
// published for an object, and nothing of another's.
func (o Options) Filters(x Object) []string {
	return []string{o.deviceTopic(x), o.prefix() + "/+/" + string(x) + "/+/config"}
}

// EveryFilter is [Options.Filters] for every object, and what others have
// published there.
func (o Options) EveryFilter() []string { return o.Filters("+") }

// Ours reports whether a discovery topic is of the form that this package
// publishes on, and to which object it belongs.
func (o Options) Ours(topic string) (Object, bool) {
	rest, below := strings.CutPrefix(topic, o.prefix()+"/")
	levels := strings.Split(rest, "/")
	if !below || len(levels) < 3 || len(levels) > 4 || levels[len(levels)-1] != "config" || (levels[0] == "device") != (len(levels) == 3) {
		return "", false
	}
	x := Object(levels[1])
	return x, x.valid()
}

// migrate makes Home Assistant unload what it has from a topic and keep what
// people have set: names, areas, entity ids.
const migrate = `{"migrate_discovery": true}`

// Migrate returns, for messages of [Options.Stale], those that come before them:
// Home Assistant then takes the same entities from a message of another mode.
// Between the steps it needs a moment. Without this it deletes what the old
// messages describe, and refuses the new ones until then.
func Migrate(stale []wire.Message) []wire.Message {
	msgs := make([]wire.Message, len(stale))
	for i, m := range stale {
		msgs[i] = retained(m.Topic, []byte(migrate))
	}
	return msgs
}

func retained(topic string, payload []byte) wire.Message {
	return wire.Message{Topic: topic, Payload: payload, QoS: 1, Retained: true}
}
