package hass

import "camqtt/internal/wire"

// bridgeOf is the name of a bridge in discovery topics and identifiers. No
// camera can have it: theirs go on with "_".
func bridgeOf(id string) string { return vendor + "-" + id }

func bridgePlace() place { return place{"snap_all", "button"} }

// Bridge returns what must be published, before the cameras, for Home Assistant
// to show the bridge [Options.Via], which people know as name, as the device
// through which they are reached. It has one entity, a button that asks every
// camera for a snapshot, and is always available. Without Via, or in Off mode,
// there is nothing to publish.
//
// It fails when the options are wrong.
func (o Options) Bridge(name string) ([]wire.Message, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	if o.Via == "" || o.mode() == Off {
		return nil, nil
	}
	link, err := o.dashboard()
	if err != nil {
		return nil, err
	}
	object, p := bridgeOf(o.Via), bridgePlace()
	if name = clean(name); name == "" {
		name = o.Via
	}
	dev := device{
		Identifiers: []string{object}, Name: name, Model: "camera bridge",
		SWVersion: clean(o.Version), ConfigurationURL: link,
	}
	button := &component{
		UniqueID:     object + "_" + p.key,
		ObjectID:     slug(o.Via) + "_" + p.key,
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

// ClearBridge returns the empty messages that remove the bridge [Options.Via],
// whatever the mode in which it was described.
func (o Options) ClearBridge() []wire.Message {
	if o.Via == "" || o.Check() != nil {
		return nil
	}
	object := bridgeOf(o.Via)
	return []wire.Message{
		retained(o.deviceTopic(object), nil),
		retained(o.entityTopic(object, bridgePlace()), nil),
	}
}
