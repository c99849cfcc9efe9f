package hass

import (
	"fmt"
	"strings"

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
	s, err := o.subject(info)
	if err != nil {
		return nil, fmt.Errorf("describe camera to home assistant: %w", err)
	}
	switch o.mode() {
	case Device:
		return s.whole()
	case Component:
		return s.single()
	}
	return nil, nil
}

// Clear returns the empty messages that remove a camera from Home Assistant and
// from the broker, whatever the mode in which it was described. An id that
// cannot be a camera's gives none.
func (o Options) Clear(id wire.ID) []wire.Message {
	return append(o.clearWhole(id), o.clearSingle(id)...)
}

// Stale returns the empty messages that remove what was described in other
// modes than this one, and nothing that [Options.Messages] of this mode
// publishes. Home Assistant deletes those entities and makes new ones under the
// same unique ids.
func (o Options) Stale(id wire.ID) []wire.Message {
	switch o.mode() {
	case Device:
		return o.clearSingle(id)
	case Component:
		return o.clearWhole(id)
	}
	return o.Clear(id)
}

// whole describes the camera in one message.
func (s subject) whole() ([]wire.Message, error) {
	dev, err := s.device()
	if err != nil {
		return nil, err
	}
	m := deviceMessage{
		Device: dev, Origin: s.opts.origin(), Availability: s.reachable(), QoS: 1,
		Components: map[string]any{},
	}
	for _, p := range places() {
		m.Components[p.key] = removed{p.platform}
	}
	for _, e := range catalogue() {
		if c := e.describe(s); c != nil {
			e.finish(s, c)
			c.Platform = e.platform
			m.Components[e.key] = c
		}
	}
	payload, err := encode(m)
	if err != nil {
		return nil, err
	}
	return []wire.Message{retained(s.opts.deviceTopic(objectOf(s.id)), payload)}, nil
}

// single describes each entity in a message of its own.
func (s subject) single() ([]wire.Message, error) {
	dev, err := s.device()
	if err != nil {
		return nil, err
	}
	var msgs []wire.Message
	told := map[place]bool{}
	for _, e := range catalogue() {
		c := e.describe(s)
		if c == nil {
			continue
		}
		e.finish(s, c)
		payload, err := alone(c, s.reachable(), dev, s.opts.origin())
		if err != nil {
			return nil, err
		}
		told[e.place] = true
		msgs = append(msgs, retained(s.opts.entityTopic(objectOf(s.id), e.place), payload))
	}
	for _, p := range places() {
		if !told[p] {
			msgs = append(msgs, retained(s.opts.entityTopic(objectOf(s.id), p), nil))
		}
	}
	return msgs, nil
}

// alone is the payload of an entity that has its message for itself: there is
// nothing to inherit.
func alone(c *component, inherited []availability, d device, o origin) ([]byte, error) {
	m := entityMessage{component: *c, Device: d, Origin: o}
	switch {
	case m.Availability == nil:
		m.Availability = inherited
	case len(m.Availability) == 0:
		m.Availability = nil
	}
	return encode(m)
}

func (o Options) clearWhole(id wire.ID) []wire.Message {
	if _, err := wire.ParseID(string(id)); err != nil || checkPrefix(o.prefix()) != nil {
		return nil
	}
	return []wire.Message{retained(o.deviceTopic(objectOf(id)), nil)}
}

func (o Options) clearSingle(id wire.ID) []wire.Message {
	if _, err := wire.ParseID(string(id)); err != nil || checkPrefix(o.prefix()) != nil {
		return nil
	}
	var msgs []wire.Message
	for _, p := range places() {
		msgs = append(msgs, retained(o.entityTopic(objectOf(id), p), nil))
	}
	return msgs
}

func (o Options) deviceTopic(object string) string {
	return o.prefix() + "/device/" + object + "/config"
}

func (o Options) entityTopic(object string, p place) string {
	return o.prefix() + "/" + p.platform + "/" + object + "/" + p.key + "/config"
}

// Filters returns what to subscribe to in order to see all that any mode has
// published for a camera, and nothing of another's; without an id, for every
// camera and bridge, and what others have published there.
func (o Options) Filters(id wire.ID) []string {
	object := "+"
	if id != "" {
		object = objectOf(id)
	}
	return []string{o.deviceTopic(object), o.prefix() + "/+/" + object + "/+/config"}
}

// BridgeFilters is [Options.Filters] for a bridge.
func (o Options) BridgeFilters(id wire.ID) []string {
	return []string{o.deviceTopic(bridgeOf(id)), o.entityTopic(bridgeOf(id), bridgePlace())}
}

// Ours reports whether a discovery topic is of the form that this package
// publishes on, and to which camera or bridge it belongs; one of them is "".
func (o Options) Ours(topic string) (camera, bridge wire.ID, ok bool) {
	rest, below := strings.CutPrefix(topic, o.prefix()+"/")
	levels := strings.Split(rest, "/")
	if !below || len(levels) < 3 || len(levels) > 4 || levels[len(levels)-1] != "config" || (levels[0] == "device") != (len(levels) == 3) {
		return "", "", false
	}
	if name, is := strings.CutPrefix(levels[1], vendor+"_"); is {
		id, err := wire.ParseID(name)
		return id, "", err == nil
	}
	name, is := strings.CutPrefix(levels[1], vendor+"-")
	id, err := wire.ParseID(name)
	return "", id, is && err == nil
}

func retained(topic string, payload []byte) wire.Message {
	return wire.Message{Topic: topic, Payload: payload, QoS: 1, Retained: true}
}
