package broker

import (
	"strings"
	"testing"

	"camqtt/internal/access"
)

// clears sends an empty message to be retained to every topic, after something was
// kept there, and looks at what arrives and what is left.
func (r *role) clears(t *testing.T) {
	for _, topic := range r.topics {
		r.hub.publish(t, topic, []byte("kept"), 0, true)
	}
	r.hub.drained(t)
	c, code := r.join(t)
	if code != 0 {
		t.Fatalf("CONNACK %#x", code)
	}
	var heard, left []string
	for _, topic := range r.topics {
		c.publish(t, topic, nil, 0, true)
		clears := r.may(topic, "p") && r.may(topic, "r") || r.may(topic, "c")
		if clears || r.may(topic, "p") {
			heard = append(heard, topic)
		}
		if !clears && !isFrame(topic) {
			left = append(left, topic)
		}
	}
	c.sync(t)
	r.expect(t, "cleared", r.hub.drained(t), heard)
	r.retains(t, "left", left)
}

// retains checks which topics are retained, and clears them.
func (r *role) retains(t *testing.T, what string, topics []string) (late *client) {
	t.Helper()
	late = r.guarded.hub(t, "late")
	late.subscribe(t, 0, "#")
	r.expect(t, what, late.drained(t), topics)
	for _, topic := range topics {
		late.publish(t, topic, nil, 0, true)
	}
	late.sync(t)
	r.hub.drained(t)
	return late
}

// Home Assistant may delete its devices, and nothing but that.
func TestHomeAssistantClearsDiscovery(t *testing.T) {
	const topic = "homeassistant/device/camqtt_front/config"
	for _, v := range []byte{4, 5} {
		g := startGuarded(t, access.AnonymousNever, access.Account{Name: "ha", Role: access.HomeAssistant, All: true})
		hub := g.hub(t, "hub")
		hub.subscribe(t, 0, "#")
		hub.publish(t, topic, []byte("{}"), 0, true)
		hub.drained(t)
		c := join(t, g.addr, "ha", v, g.asUser("ha"))
		for _, payload := range []string{`{"device":{}}`, "x"} {
			c.publish(t, topic, []byte(payload), 0, true)
		}
		c.publish(t, topic, nil, 0, false) // clears nothing
		c.sync(t)
		if got := hub.drained(t); len(got) != 0 {
			t.Errorf("version %d: %v was published", v, got)
		}
		c.publish(t, topic, nil, 0, true)
		c.sync(t)
		if got := strings.Join(hub.drained(t), " "); got != topic+"=" {
			t.Errorf("version %d: %q was published, want an empty message", v, got)
		}
	}
}
