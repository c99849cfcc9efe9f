package homeassistant

import (
	"fmt"

	"camqtt/internal/wire"
)

// Messages returns all that must be published, in this order, for Home
// Assistant to show a camera and to forget what it no longer has. They are
// retained and of QoS 1. In Device mode it is one message; in Component mode
// one for each entity, empty for those that the camera lacks; in Off mode none.
// Publish them on every connect, a random 1 to 5 s after "online" on
// [Options.BirthTopic], and when info has changed, but never twice within a
// second: Home Assistant loses part of the second.
//
// It fails when the options are wrong or info has no valid id.
func (o Options) Messages(info wire.Info) ([]wire.Message, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	s, err := newSubject(o, info)
	if err != nil {
		return nil, fmt.Errorf("describe camera to home assistant: %w", err)
	}
	dev, err := s.device()
	if err != nil {
		return nil, err
	}
	return o.describe(description{
		object: CameraObject(s.id), device: dev, availability: s.reachable(), parts: s.parts(), places: places(),
	})
}

// Everything returns the [Options.Messages] of a camera that has every entity
// there is. Home Assistant forgets for good only what it has been told before.
func (o Options) Everything(id wire.ID) ([]wire.Message, error) {
	return o.Messages(wire.Info{
		ID: id, Caps: []string{capFPS, capSize, capQuality, capFlash, capMotion},
		Sizes: []string{"320x240", "640x480"}, Sensors: []string{wire.SensorTemperature, wire.SensorSignal},
	})
}

// part is an entity or a trigger at its place.
type part struct {
	place
	config any // component or trigger
}

// parts returns what the camera has of the catalogue.
func (s subject) parts() []part {
	var all []part
	for _, e := range catalogue() {
		if c := e.describe(s); c != nil {
			e.finish(s, c)
			all = append(all, part{e.place, c})
		}
	}
	return append(all, s.triggers()...)
}

// description is all that is said of an object.
type description struct {
	object       Object
	device       device
	availability []availability // of parts that have none of their own
	parts        []part
	places       []place // at which there has ever been a part
}

// describe writes a description in the form of the mode.
func (o Options) describe(d description) ([]wire.Message, error) {
	switch o.mode() {
	case Device:
		return o.whole(d)
	case Component:
		return o.single(d)
	}
	return nil, nil
}

// whole describes an object in one message.
func (o Options) whole(d description) ([]wire.Message, error) {
	m := deviceMessage{
		Device: d.device, Origin: newOrigin(o.Version), Availability: d.availability, QoS: 1,
		Components: map[string]any{},
	}
	for _, p := range d.places {
		m.Components[p.key] = removed{p.platform}
	}
	for _, p := range d.parts {
		switch c := p.config.(type) {
		case *component:
			c.Platform = p.platform
		case *trigger:
			c.Platform = p.platform
		}
		m.Components[p.key] = p.config
	}
	payload, err := encode(m)
	if err != nil {
		return nil, err
	}
	return []wire.Message{retained(o.deviceTopic(d.object), payload)}, nil
}

// single describes each part in a message of its own.
func (o Options) single(d description) ([]wire.Message, error) {
	var msgs []wire.Message
	told := map[place]bool{}
	for _, p := range d.parts {
		payload, err := alone(p.config, d.availability, d.device.forOld(), newOrigin(o.Version))
		if err != nil {
			return nil, err
		}
		told[p.place] = true
		msgs = append(msgs, retained(o.entityTopic(d.object, p.place), payload))
	}
	for _, p := range d.places {
		if !told[p] {
			msgs = append(msgs, retained(o.entityTopic(d.object, p), nil))
		}
	}
	return msgs, nil
}

// alone is the payload of a part that has its message for itself: there is
// nothing to inherit.
func alone(config any, inherited []availability, d device, o origin) ([]byte, error) {
	if t, is := config.(*trigger); is {
		return encode(triggerMessage{trigger: *t, Device: d, Origin: o})
	}
	m := entityMessage{component: *config.(*component), Device: d, Origin: o}
	switch {
	case m.Availability == nil:
		m.Availability = inherited
	case len(m.Availability) == 0:
		m.Availability = nil
	}
	return encode(m)
}

func snapAllPlace() place { return place{"snap_all", "button"} }

// Bridge returns what must be published, before the cameras with that
// [wire.Info].Bridge, for Home Assistant to show a bridge, which people know as
// name, as the device through which they are reached: it makes an unnamed
// device of a bridge it does not know. The bridge has one entity, a button that
// asks every camera for a snapshot, and is always available. In Off mode there
// is nothing to publish.
//
// It fails when the options or the id are wrong.
func (o Options) Bridge(id wire.ID, name string) ([]wire.Message, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	if _, err := wire.ParseID(string(id)); err != nil {
		return nil, fmt.Errorf("home assistant bridge: %w", err)
	}
	dev := device{Name: clean(name), Model: "camera bridge"}
	if dev.Name == "" {
		dev.Name = string(id)
	}
	if o.Hub {
		dev.ViaDevice = string(HubObject)
	}
	return o.gateway(BridgeObject(id), dev, slug(string(id)))
}

// HubDevice returns what must be published, before all bridges and cameras, for
// Home Assistant to show the hub as the device through which they are reached. It
// is like a bridge otherwise.
//
// It fails when the options are wrong.
func (o Options) HubDevice() ([]wire.Message, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	return o.gateway(HubObject, device{Name: "camqtt hub", Model: "camera hub", Manufacturer: vendor}, vendor+"_hub")
}

// gateway describes a device through which cameras are reached.
func (o Options) gateway(x Object, dev device, id string) ([]wire.Message, error) {
	link, err := o.dashboard()
	if err != nil {
		return nil, err
	}
	dev.Identifiers, dev.SWVersion, dev.ConfigurationURL = []string{string(x)}, clean(o.Version), link
	p := snapAllPlace()
	button := &component{
		UniqueID:     string(x) + "_" + p.key,
		ObjectID:     id + "_" + p.key,
		Name:         named("Take snapshot with every camera"),
		Icon:         "mdi:camera-burst",
		CommandTopic: o.Base.AllCmd(),
		PayloadPress: string(wire.Snap),
		QoS:          qos(wire.KindCmd),
	}
	button.DefaultEntityID = p.platform + "." + button.ObjectID
	return o.describe(description{object: x, device: dev, parts: []part{{p, button}}})
}
