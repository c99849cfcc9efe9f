package hass

import (
	"fmt"

	"camqtt/internal/wire"
)

// bridgeOf is the name of a bridge in discovery topics and identifiers. No
// camera can have it: theirs go on with "_".
func bridgeOf(id wire.ID) string { return vendor + "-" + string(id) }

func bridgePlace() place { return place{"snap_all", "button"} }

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
	if o.mode() == Off {
		return nil, nil
	}
	link, err := o.dashboard()
	if err != nil {
		return nil, err
	}
	object, p := bridgeOf(id), bridgePlace()
	if name = clean(name); name == "" {
		name = string(id)
	}
	dev := device{
		Identifiers: []string{object}, Name: name, Model: "camera bridge",
		SWVersion: clean(o.Version), ConfigurationURL: link,
	}
	button := &component{
		UniqueID:     object + "_" + p.key,
		ObjectID:     slug(string(id)) + "_" + p.key,
		Name:         named("Take snapshot with every camera"),
		Icon:         "mdi:camera-burst",
		CommandTopic: o.Base.AllCmd(),
		PayloadPress: string(wire.Snap),
		QoS:          qos(wire.KindCmd),
	}
	button.DefaultEntityID = p.platform + "." + button.ObjectID
	if o.mode() == Component {
		payload, err := alone(button, nil, dev, o.origin())
		if err != nil {
			return nil, err
		}
		return []wire.Message{retained(o.entityTopic(object, p), payload)}, nil
	}
	button.Platform = p.platform
	payload, err := encode(deviceMessage{
		Device: dev, Origin: o.origin(), QoS: 1, Components: map[string]any{p.key: button},
	})
	if err != nil {
		return nil, err
	}
	return []wire.Message{retained(o.deviceTopic(object), payload)}, nil
}

// ClearBridge returns the empty messages that remove a bridge, whatever the
// mode in which it was described. An id that cannot be a bridge's gives none.
func (o Options) ClearBridge(id wire.ID) []wire.Message {
	return append(o.staleBridge(id, Component), o.staleBridge(id, Device)...)
}

// StaleBridge is [Options.Stale] for a bridge.
func (o Options) StaleBridge(id wire.ID) []wire.Message {
	if o.mode() == Off {
		return o.ClearBridge(id)
	}
	return o.staleBridge(id, o.mode())
}

// staleBridge removes what was not described in mode m.
func (o Options) staleBridge(id wire.ID, m Mode) []wire.Message {
	if _, err := wire.ParseID(string(id)); err != nil || checkPrefix(o.prefix()) != nil {
		return nil
	}
	if m == Component {
		return []wire.Message{retained(o.deviceTopic(bridgeOf(id)), nil)}
	}
	return []wire.Message{retained(o.entityTopic(bridgeOf(id), bridgePlace()), nil)}
}
