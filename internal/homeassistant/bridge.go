package homeassistant

import (
	"fmt"

	"camqtt/internal/wire"
)

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
