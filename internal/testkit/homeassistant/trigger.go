package homeassistant

import (
	"maps"
	"slices"

	"camqtt/internal/wire"
)

// Trigger is a device trigger: what an automation can begin with.
type Trigger struct {
	Device        string // its first identifier
	Type, Subtype string
	Fired         int // how often an automation with it has run

	topic, template, payload string
	qos                      byte
}

func newTrigger(device string, conf map[string]any) *Trigger {
	text := func(key string) string { s, _ := conf[key].(string); return s }
	q, _ := conf["qos"].(float64)
	return &Trigger{
		Device: device, Type: text("type"), Subtype: text("subtype"),
		topic: text("topic"), template: text("value_template"), payload: text("payload"), qos: byte(q),
	}
}

func (x *Trigger) hear(m wire.Message) error {
	if m.Topic != x.topic {
		return nil
	}
	s, err := Render(x.template, m.Payload)
	if err == nil && s == x.payload {
		x.Fired++
	}
	return err
}

// Triggers returns those of a device, by type.
func (h *Home) Triggers(device string) map[string]Trigger {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := map[string]Trigger{}
	for _, x := range h.triggers {
		if x.Device == device {
			all[x.Type] = *x
		}
	}
	return all
}

// Registered returns the ids of all entities that it remembers, described or not.
func (h *Home) Registered() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Sorted(maps.Values(h.registry))
}

// Rename gives an entity another id, as people do.
func (h *Home) Rename(id, to string) {
	h.t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.entities {
		if e.ID == id {
			e.ID = to
			h.registry[e.Platform+" "+e.UniqueID] = to
			return
		}
	}
	h.t.Fatalf("there is no entity %s", id)
}

// Delete deletes a device, as people do on its page: its entities go, and what
// describes them is cleared.
func (h *Home) Delete(device string) {
	h.t.Helper()
	h.mu.Lock()
	topics := map[string]bool{}
	for key, topic := range h.sources {
		e, x := h.entities[key], h.triggers[key]
		if e != nil && e.Device == device || x != nil && x.Device == device {
			topics[topic] = true
			h.remove(key)
		}
	}
	h.mu.Unlock()
	if len(topics) == 0 {
		h.t.Fatalf("there is no device %s", device)
	}
	for _, topic := range slices.Sorted(maps.Keys(topics)) {
		h.say(wire.Message{Topic: topic, Retained: true})
	}
}
