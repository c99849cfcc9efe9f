package homeassistant

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"testing"

	"camqtt/internal/testkit"
	"camqtt/internal/wire"
)

// Entity returns what it knows of an entity; false: there is none.
func (h *Home) Entity(id string) (Entity, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.entities {
		if e.ID == id {
			c := e.Entity
			c.Attributes = maps.Clone(c.Attributes)
			return c, true
		}
	}
	return Entity{}, false
}

// State returns an entity's state, "" when there is none.
func (h *Home) State(id string) string {
	e, _ := h.Entity(id)
	return e.State
}

// Entities returns the ids of all.
func (h *Home) Entities() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var ids []string
	for _, e := range h.entities {
		ids = append(ids, e.ID)
	}
	slices.Sort(ids)
	return ids
}

// Devices returns all, by identifier.
func (h *Home) Devices() map[string]Device {
	h.mu.Lock()
	defer h.mu.Unlock()
	return maps.Clone(h.devices)
}

// Heard returns how many discovery messages were published on each topic since the
// start.
func (h *Home) Heard() map[string]int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return maps.Clone(h.heard)
}

// Await waits until an entity has a state.
func (h *Home) Await(id, state string) {
	h.t.Helper()
	h.Until(id+" is "+state, func() bool { return h.State(id) == state })
}

// Until waits for a condition, and says what it knows when that does not come.
func (h *Home) Until(what string, ok func() bool) {
	h.t.Helper()
	defer func() {
		if h.t.Failed() {
			for _, id := range h.Entities() {
				h.t.Logf("%s is %s", id, h.State(id))
			}
		}
	}()
	testkit.Until(testing.TB(h.t), what, ok)
}

// Enable does what a person does to an entity that is disabled by default. Home
// Assistant then loads it anew.
func (h *Home) Enable(id string) {
	h.t.Helper()
	h.mu.Lock()
	var topics []string
	qos := byte(0)
	for _, e := range h.entities {
		if e.ID == id {
			e.Enabled = true
			topics, qos = e.topics(), e.qos()
		}
	}
	h.mu.Unlock()
	h.subscribe(qos, topics...)
}

// controls are what a person uses in Home Assistant.
type controls struct{ home *Home }

// Press presses a button; TurnOn, TurnOff, Set and Select do what their names
// say. Each returns the command that was sent.
func (c controls) Press(id string) wire.Message {
	c.home.t.Helper()
	return c.command(id, "button", "payload_press", "PRESS")
}

// TurnOn turns a switch on.
func (c controls) TurnOn(id string) wire.Message {
	c.home.t.Helper()
	return c.command(id, "switch", "payload_on", "ON")
}

// TurnOff turns a switch off.
func (c controls) TurnOff(id string) wire.Message {
	c.home.t.Helper()
	return c.command(id, "switch", "payload_off", "OFF")
}

// Set sets a number.
func (c controls) Set(id string, value float64) wire.Message {
	c.home.t.Helper()
	return c.command(id, "number", "", strconv.FormatFloat(value, 'f', -1, 64))
}

// Select chooses an option.
func (c controls) Select(id, option string) wire.Message {
	c.home.t.Helper()
	return c.command(id, "select", "", option)
}

func (c controls) command(id, platform, option, otherwise string) wire.Message {
	c.home.t.Helper()
	m, err := c.prepare(id, platform, option, otherwise)
	if err != nil {
		c.home.t.Fatal(err)
	}
	c.home.say(m)
	return m
}

func (c controls) prepare(id, platform, option, otherwise string) (wire.Message, error) {
	c.home.mu.Lock()
	defer c.home.mu.Unlock()
	for _, e := range c.home.entities {
		switch {
		case e.ID != id:
			continue
		case e.Platform != platform:
			return wire.Message{}, fmt.Errorf("%s is a %s, no %s", id, e.Platform, platform)
		case e.State == Unavailable:
			return wire.Message{}, fmt.Errorf("%s is unavailable: nobody can use it", id)
		}
		payload, err := Render(e.text("command_template", ""), []byte(e.text(option, otherwise)))
		return wire.Message{Topic: e.text("command_topic", ""), Payload: []byte(payload), QoS: e.qos()}, err
	}
	return wire.Message{}, fmt.Errorf("there is no entity %s", id)
}
