package homeassistant

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Home Assistant refuses a whole device for one key that it does not know in
// deviceMessage, device or origin; hence structs, and nothing from outside
// becomes a key. Abbreviated keys would save little and read badly.

// deviceMessage is the payload of <prefix>/device/<object>/config.
type deviceMessage struct {
	Device       device         `json:"device"`
	Origin       origin         `json:"origin"`
	Availability []availability `json:"availability,omitempty"`
	QoS          byte           `json:"qos"`
	Components   map[string]any `json:"components"` // component or removed
}

// entityMessage is the payload of <prefix>/<platform>/<object>/<key>/config.
type entityMessage struct {
	component
	Device device `json:"device"`
	Origin origin `json:"origin"`
}

// removed stands in the place of a component that the camera does not have:
// leaving a component out does not remove it from Home Assistant, this does.
type removed struct {
	Platform string `json:"platform"`
}

// device is what an object's entities have in common.
type device struct {
	Identifiers      []string `json:"identifiers"`
	Name             string   `json:"name"`
	Manufacturer     string   `json:"manufacturer,omitempty"`
	Model            string   `json:"model,omitempty"`
	SerialNumber     string   `json:"serial_number,omitempty"` // since 2024.2
	HWVersion        string   `json:"hw_version,omitempty"`
	SWVersion        string   `json:"sw_version,omitempty"`
	SuggestedArea    string   `json:"suggested_area,omitempty"`
	ViaDevice        string   `json:"via_device,omitempty"`
	ConfigurationURL string   `json:"configuration_url,omitempty"`
}

// forOld leaves out what Home Assistants before 2024.2 do not know: they refuse
// every entity of a device with a newer key.
func (d device) forOld() device {
	d.SerialNumber = ""
	return d
}

type origin struct {
	Name      string `json:"name"`
	SWVersion string `json:"sw_version,omitempty"`
}

// availability is one entry of the list of that name. An entity overrides its
// device's list with a list: mixing it with availability_topic is refused.
type availability struct {
	Topic         string `json:"topic"`
	ValueTemplate string `json:"value_template,omitempty"`
}

// component is an entity. A field has the meaning of Home Assistant's option of
// that name; which platform takes which is held by a test.
type component struct {
	Platform        string  `json:"platform,omitempty"` // in the topic instead when alone in a message
	UniqueID        string  `json:"unique_id"`
	ObjectID        string  `json:"object_id"`         // suggests the entity id before 2025.10
	DefaultEntityID string  `json:"default_entity_id"` // and since
	Name            *string `json:"name"`              // null takes the device's name
	Icon            string  `json:"icon,omitempty"`
	EntityCategory  string  `json:"entity_category,omitempty"`
	// EnabledByDefault is nil, which is true, or points to false.
	EnabledByDefault *bool `json:"enabled_by_default,omitempty"`
	// Availability is nil to inherit the device's, and empty for always.
	Availability []availability `json:"availability,omitzero"`
	// AvailabilityMode is how several entries of Availability count; "" is the
	// newest of them.
	AvailabilityMode string `json:"availability_mode,omitempty"`
	// QoS is written even when 0: it would be inherited where it is missing.
	QoS byte `json:"qos"`

	Topic      string `json:"topic,omitempty"`
	ImageTopic string `json:"image_topic,omitempty"`

	StateTopic             string `json:"state_topic,omitempty"`
	ValueTemplate          string `json:"value_template,omitempty"`
	JSONAttributesTopic    string `json:"json_attributes_topic,omitempty"`
	JSONAttributesTemplate string `json:"json_attributes_template,omitempty"`

	CommandTopic    string `json:"command_topic,omitempty"`
	CommandTemplate string `json:"command_template,omitempty"`
	PayloadPress    string `json:"payload_press,omitempty"`
	PayloadOn       string `json:"payload_on,omitempty"`
	PayloadOff      string `json:"payload_off,omitempty"`
	StateOn         string `json:"state_on,omitempty"`
	StateOff        string `json:"state_off,omitempty"`

	// Min is a pointer, for 0 is not the default, which is 1.
	Min     *float64 `json:"min,omitempty"`
	Max     float64  `json:"max,omitempty"`
	Step    float64  `json:"step,omitempty"`
	Mode    string   `json:"mode,omitempty"`
	Options []string `json:"options,omitempty"`

	EventTypes []string `json:"event_types,omitempty"`

	ContentType string `json:"content_type,omitempty"`
	DeviceClass string `json:"device_class,omitempty"`
	StateClass  string `json:"state_class,omitempty"`
	Unit        string `json:"unit_of_measurement,omitempty"`
	Precision   int    `json:"suggested_display_precision,omitempty"`
	ExpireAfter int    `json:"expire_after,omitempty"` // seconds
}

// encode writes a payload in one line. Signs such as > are left as they are, so
// that templates can be read on the wire.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("write %T as JSON: %w", v, err)
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}
