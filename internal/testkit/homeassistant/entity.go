package homeassistant

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"camqtt/internal/wire"
)

// The states that every entity can have.
const (
	Unavailable = "unavailable"
	Unknown     = "unknown"
)

// Entity is what Home Assistant knows of one.
type Entity struct {
	ID         string // such as camera.front
	UniqueID   string
	Platform   string
	Device     string         // its first identifier
	State      string         // Unavailable, Unknown, or what it shows
	Attributes map[string]any // from json_attributes_topic, or of the event
	Picture    []byte         // of a camera or an image
	Enabled    bool
	Changes    int // of State, since it was made
}

// entity is one with its configuration.
type entity struct {
	Entity
	conf      map[string]any
	available map[string]bool // by topic of the availability list
	always    bool            // the list is empty
	shown     string          // the state while it is available
}

// text returns an option, or what stands in its place when it is not given.
func (e *entity) text(option, otherwise string) string {
	if s, ok := e.conf[option].(string); ok {
		return s
	}
	return otherwise
}

// topics returns what it listens to.
func (e *entity) topics() []string {
	var all []string
	for _, o := range []string{"state_topic", "topic", "image_topic", "json_attributes_topic"} {
		if t := e.text(o, ""); t != "" && e.Enabled {
			all = append(all, t)
		}
	}
	for t := range e.available {
		all = append(all, t)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// qos returns the one that its subscriptions have.
func (e *entity) qos() byte {
	q, _ := e.conf["qos"].(float64)
	return byte(q)
}

func newEntity(id, platform, device string, conf map[string]any) *entity {
	e := &entity{
		Entity: Entity{ID: id, Platform: platform, Device: device, State: Unavailable, Attributes: map[string]any{}},
		conf:   conf, available: map[string]bool{}, shown: Unknown,
	}
	e.UniqueID, _ = conf["unique_id"].(string)
	disabled, given := conf["enabled_by_default"].(bool)
	e.Enabled = !given || disabled
	list, _ := conf["availability"].([]any)
	for _, raw := range list {
		a, _ := raw.(map[string]any)
		t, _ := a["topic"].(string)
		e.available[t] = false
	}
	e.always = len(e.available) == 0
	if platform == "camera" {
		e.shown = "idle"
	}
	e.settle()
	return e
}

// settle makes State what is shown, or unavailable.
func (e *entity) settle() {
	state := e.shown
	for _, yes := range e.available {
		if !yes && !e.always {
			state = Unavailable
		}
	}
	if state != e.State {
		e.State = state
		e.Changes++
	}
}

// hear takes a message; what Home Assistant would log is the error.
func (e *entity) hear(m wire.Message) error {
	var errs []error
	if _, of := e.available[m.Topic]; of {
		errs = append(errs, e.hearAvailability(m))
	}
	if e.Enabled {
		if m.Topic == e.text("json_attributes_topic", "") {
			errs = append(errs, e.hearAttributes(m))
		}
		switch m.Topic {
		case e.text("state_topic", ""):
			errs = append(errs, e.hearState(m))
		case e.text("topic", ""), e.text("image_topic", ""):
			errs = append(errs, e.hearPicture(m))
		}
	}
	e.settle()
	return errors.Join(errs...)
}

func (e *entity) hearAvailability(m wire.Message) error {
	list, _ := e.conf["availability"].([]any)
	for _, raw := range list {
		a, _ := raw.(map[string]any)
		if a["topic"] != m.Topic {
			continue
		}
		template, _ := a["value_template"].(string)
		s, err := Render(template, m.Payload)
		switch {
		case err != nil:
			return err
		case s == "online":
			e.available[m.Topic] = true
		case s == "offline":
			e.available[m.Topic] = false
		default:
			return fmt.Errorf("%s: availability %q", e.ID, s)
		}
	}
	return nil
}

func (e *entity) hearAttributes(m wire.Message) error {
	s, err := Render(e.text("json_attributes_template", ""), m.Payload)
	if err != nil {
		return err
	}
	v := map[string]any{}
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		return fmt.Errorf("%s: attributes %.100q: %w", e.ID, s, err)
	}
	e.Attributes = v
	return nil
}

// hearPicture takes a picture. That of an image is its state: when it came. An empty
// payload leaves it without one.
func (e *entity) hearPicture(m wire.Message) error {
	if len(m.Payload) == 0 {
		e.Picture = nil
		return nil
	}
	if !bytes.HasPrefix(m.Payload, []byte{0xff, 0xd8}) || !bytes.HasSuffix(m.Payload, []byte{0xff, 0xd9}) {
		return fmt.Errorf("%s: %d bytes that are no JPEG", e.ID, len(m.Payload))
	}
	e.Picture = m.Payload
	if e.Platform == "image" {
		e.shown = time.Now().UTC().Format(time.RFC3339Nano)
	}
	return nil
}

func (e *entity) hearState(m wire.Message) error {
	if e.Platform == "event" {
		return e.hearEvent(m)
	}
	s, err := Render(e.text("value_template", ""), m.Payload)
	if err != nil || s == "" {
		return err // an empty state is ignored
	}
	if s == "None" {
		e.shown = Unknown
		return nil
	}
	wrong := fmt.Errorf("%s: state %.100q of %.200q", e.ID, s, m.Payload)
	switch e.Platform {
	case "switch":
		return e.pick(s, map[string]string{
			e.text("state_on", e.text("payload_on", "ON")): "on", e.text("state_off", e.text("payload_off", "OFF")): "off",
		})
	case "binary_sensor":
		return e.pick(s, map[string]string{e.text("payload_on", "ON"): "on", e.text("payload_off", "OFF"): "off"})
	case "select":
		options, _ := e.conf["options"].([]any)
		if !slices.Contains(options, any(s)) {
			return wrong
		}
	case "number":
		f, err := strconv.ParseFloat(s, 64)
		least, _ := e.conf["min"].(float64)
		most, _ := e.conf["max"].(float64)
		if err != nil || f < least || f > most {
			return wrong
		}
	case "sensor":
		if e.conf["device_class"] == "timestamp" {
			if _, err := time.Parse(time.RFC3339, s); err != nil {
				return wrong
			}
		} else if _, err := strconv.ParseFloat(s, 64); err != nil && e.conf["state_class"] != nil {
			return wrong
		}
	}
	e.shown = s
	return nil
}

func (e *entity) pick(s string, states map[string]string) error {
	shown, ok := states[s]
	if !ok {
		return fmt.Errorf("%s: state %q", e.ID, s)
	}
	e.shown = shown
	return nil
}

// hearEvent takes an event. A retained one is old news, and ignored.
func (e *entity) hearEvent(m wire.Message) error {
	if m.Retained {
		return nil
	}
	s, err := Render(e.text("value_template", ""), m.Payload)
	if err != nil || s == "" {
		return err // an empty one is ignored
	}
	v := map[string]any{}
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		return fmt.Errorf("%s: %.100q: %w", e.ID, s, err)
	}
	types, _ := e.conf["event_types"].([]any)
	if !slices.Contains(types, v["event_type"]) {
		return fmt.Errorf("%s: event_type %v is not announced", e.ID, v["event_type"])
	}
	e.Attributes = v
	e.shown = time.Now().UTC().Format(time.RFC3339Nano)
	return nil
}
