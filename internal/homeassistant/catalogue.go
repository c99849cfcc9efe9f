package homeassistant

import (
	"strings"

	"camqtt/internal/wire"
)

// place is where an entity is known to Home Assistant. Both parts are permanent:
// another key or platform is another entity to it.
type place struct{ key, platform string }

// entry is an entity that cameras may have. describe returns nil for a camera
// that does not have it.
type entry struct {
	place
	describe func(subject) *component
}

// catalogue returns every entity there is, in the order in which people should
// meet them. No key ends in "_" and another key, so that unique ids, which end
// in "_" and the key, cannot be those of another camera.
func catalogue() []entry {
	return []entry{
		{place{"camera", "camera"}, preview},
		{place{"snapshot", "image"}, snapshot},
		{place{"snap", "button"}, snap},
		{place{"live", "switch"}, live},
		{place{"privacy", "switch"}, privacy},
		{place{"motion", "binary_sensor"}, motion},
		{place{"event", "event"}, event},
		{place{"refused", "event"}, refused},
		{place{"fps", "number"}, fps},
		{place{"quality", "number"}, quality},
		{place{"size", "select"}, size},
		{place{"flash", "number"}, flash},
		{place{"connection", "binary_sensor"}, connection},
		{place{"problem", "binary_sensor"}, problem},
		{place{"last_picture", "sensor"}, lastPicture},
		{place{"frame_rate", "sensor"}, frameRate},
		{place{"bandwidth", "sensor"}, bandwidth},
		{place{"temperature", "sensor"}, temperature},
		{place{"signal", "sensor"}, signal},
		{place{"started", "sensor"}, started},
		{place{"viewers", "sensor"}, viewers},
		{place{"reconnects", "sensor"}, reconnects},
	}
}

// places returns every place at which any version of this package has described
// an entity, so that all of them can be cleared. A place that leaves the
// catalogue is listed here for ever; testdata/places.txt holds this to it.
func places() []place {
	var all []place
	for _, e := range catalogue() {
		all = append(all, e.place)
	}
	return append(all, triggerPlaces()...)
}

// finish gives a component its names.
func (e entry) finish(s subject, c *component) {
	c.UniqueID = string(CameraObject(s.id)) + "_" + e.key
	c.ObjectID = slug(string(s.id))
	if e.key != mainKey {
		c.ObjectID += "_" + e.key
	}
	c.DefaultEntityID = e.platform + "." + c.ObjectID
}

// mainKey is the entity that has no name of its own: it is the device.
const mainKey = "camera"

// The entity categories of Home Assistant: those of neither are what the device
// is for.
const (
	configuration = "config"
	diagnostic    = "diagnostic"
)

func named(name string) *string { return &name }

func off() *bool { return new(bool) }

func preview(s subject) *component {
	c := &component{Topic: s.topic(wire.KindPreview), QoS: qos(wire.KindPreview)}
	c.need(s.reachable(), s.public())
	return c
}

// snapshot is not available before its first picture, of which snapshot/meta
// tells: Home Assistant answers with an error where there is none.
func snapshot(s subject) *component {
	c := &component{
		Name:                   named("Last snapshot"),
		ImageTopic:             s.topic(wire.KindSnapshot),
		ContentType:            "image/jpeg",
		JSONAttributesTopic:    s.topic(wire.KindMeta),
		JSONAttributesTemplate: "{{ value or '{}' }}", // empty when it has been cleared
		QoS:                    qos(wire.KindSnapshot, wire.KindMeta),
	}
	c.need(s.reachable(), s.public(), []availability{{
		Topic: s.topic(wire.KindMeta), ValueTemplate: either("value", wire.Online, wire.Offline),
	}})
	return c
}

func snap(s subject) *component {
	c := &component{
		Name:         named("Take snapshot"),
		Icon:         "mdi:camera-iris",
		CommandTopic: s.topic(wire.KindCmd),
		PayloadPress: string(wire.Snap),
		QoS:          qos(wire.KindCmd),
	}
	c.need(s.awake(), s.public())
	return c
}

// live follows the camera, not the press: it is on while there is a viewer.
func live(s subject) *component {
	c := &component{
		Name:          named("Live"),
		Icon:          "mdi:video",
		StateTopic:    s.topic(wire.KindState),
		ValueTemplate: either("value_json.streaming", "on", "off"),
		StateOn:       "on",
		StateOff:      "off",
		CommandTopic:  s.topic(wire.KindCmd),
		PayloadOn:     string(wire.Start),
		PayloadOff:    string(wire.Stop),
		QoS:           qos(wire.KindState, wire.KindCmd),
	}
	c.need(s.awake(), s.public())
	return c
}

func privacy(s subject) *component {
	return &component{
		Name:          named("Privacy"),
		Icon:          "mdi:eye-off",
		Availability:  s.awake(),
		StateTopic:    s.topic(wire.KindState),
		ValueTemplate: either("value_json.privacy", "on", "off"),
		CommandTopic:  s.setTopic(wire.SetPrivacy),
		PayloadOn:     "on",
		PayloadOff:    "off",
		QoS:           qos(wire.KindState, wire.KindSetKey),
	}
}

func motion(s subject) *component {
	if !s.can(capMotion) {
		return nil
	}
	return &component{
		Name:        named("Motion"),
		DeviceClass: "motion",
		StateTopic:  s.topic(wire.KindMotion),
		PayloadOn:   "ON",
		PayloadOff:  "OFF",
		QoS:         qos(wire.KindMotion),
	}
}

// event leaves out types that a newer camera may publish: Home Assistant logs a
// warning for one that was not announced, and ignores an empty text.
func event(s subject) *component {
	types := s.events()
	return &component{
		Name:          named("Activity"),
		Icon:          "mdi:cctv",
		StateTopic:    s.topic(wire.KindEvent),
		ValueTemplate: "{{ value if value_json.event_type in ['" + strings.Join(types, "', '") + "'] else '' }}",
		EventTypes:    types,
		QoS:           qos(wire.KindEvent),
	}
}

// refusedEvent is the type of the event that a command was not carried out.
const refusedEvent = "refused"

// refused has the code and the text of the result as attributes: without it a
// button that is pressed in vain says nothing.
func refused(s subject) *component {
	return &component{
		Name:          named("Refused request"),
		Icon:          "mdi:cancel",
		StateTopic:    s.topic(wire.KindResult),
		ValueTemplate: "{{ '' if value_json.ok else dict(value_json, event_type='" + refusedEvent + "') | to_json }}",
		EventTypes:    []string{refusedEvent},
		QoS:           qos(wire.KindResult),
	}
}
