package announce

import (
	"cmp"
	"crypto/sha256"
	"maps"
	"slices"
	"time"

	"camqtt/internal/homeassistant"
	"camqtt/internal/wire"
)

// plan returns what is to be published now, and takes it as kept: whoever
// publishes it says when that has failed.
func (a *Announcer) plan(now time.Time) []wire.Message {
	a.mu.Lock()
	defer a.mu.Unlock()
	ripe := func(at time.Time) bool { return a.when.ripe(at, now) }
	born, changed := ripe(a.when.birth), ripe(a.when.due)
	if !a.up || !born && !changed && !ripe(a.when.orphans) {
		return nil
	}
	if born {
		a.when.birth = time.Time{}
	}
	a.when.due = time.Time{}
	if a.foreign || a.strikes >= maxStrikes {
		return nil // what is dirty stays so, should the hub ever leave
	}
	if ripe(a.when.orphans) {
		a.when.orphans = time.Time{}
		a.forgetOrphans()
	}
	p := proposal{a: a, now: now, all: born}
	p.clearDeleted()
	if born {
		p.mourn()
		p.remind()
		for id := range a.infos {
			a.touch(id)
		}
	}
	dirty := a.dirty
	a.dirty = map[wire.ID]bool{} // what has to wait is put back
	p.hub()
	p.bridges()
	for _, id := range sorted(dirty) {
		p.camera(id, dirty[id])
	}
	if a.opts.hub() { // at the end it knows who is forgotten; it is told first
		rest := p.msgs
		p.msgs = nil
		p.add(a.marker())
		p.msgs = append(p.msgs, rest...)
	}
	for _, m := range p.msgs {
		a.keep(m)
		if len(m.Payload) == 0 {
			a.graves[m.Topic] = true
		} else {
			delete(a.graves, m.Topic)
		}
	}
	return p.msgs
}

// forgetOrphans has what is kept for cameras that are no more removed.
func (a *Announcer) forgetOrphans() {
	for topic := range a.kept {
		if x, ok := a.opts.Hass.Ours(topic); ok {
			if camera, is := x.Camera(); is && !a.known(camera) {
				a.touch(camera)
			}
		}
	}
}

// marker says that the hub describes the cameras.
func (a *Announcer) marker() wire.Message {
	h := a.opts.Hass
	b, err := wire.JSON(wire.Hub{
		Discovery: string(cmp.Or(h.Mode, homeassistant.Device)), Prefix: cmp.Or(h.Prefix, homeassistant.DefaultPrefix), Version: h.Version,
		Forgotten: sorted(a.forgotten),
	})
	if err != nil {
		a.opts.Log.Error("payload not written", "err", err)
	}
	return wire.Message{Topic: h.Base.Hub(), Payload: b, QoS: 1, Retained: true}
}

// proposal collects messages that change what the broker keeps, or, when
// Home Assistant has started, all that there are.
type proposal struct {
	a    *Announcer
	now  time.Time
	all  bool
	msgs []wire.Message
}

// mourn says once more what has been removed since the start: Home Assistant
// says that it is there also when only its connection has come back, and it
// still shows what was removed while it was away. What another mode has left of a
// device that there is has been unloaded: it takes no notice of that.
func (p *proposal) mourn() {
	for _, topic := range sorted(p.a.graves) {
		if !p.a.unloaded(topic) {
			p.msgs = append(p.msgs, wire.Message{Topic: topic, QoS: 1, Retained: true})
		}
	}
}

// unloaded reports whether a topic is of another mode than the present one, and
// its device is there.
func (a *Announcer) unloaded(topic string) bool {
	x, ours := a.opts.Hass.Ours(topic)
	if camera, is := x.Camera(); !ours || is && !a.known(camera) || len(a.opts.Hass.Current(x)) == 0 {
		return false
	}
	return slices.ContainsFunc(a.opts.Hass.Stale(x), func(m wire.Message) bool { return m.Topic == topic })
}

// add proposes messages, and returns how many there are to publish.
func (p *proposal) add(msgs ...wire.Message) int {
	before := len(p.msgs)
	for _, m := range msgs {
		now, has := p.a.kept[m.Topic]
		switch {
		case len(m.Payload) == 0 && !has:
		case len(m.Payload) > 0 && has && now == sha256.Sum256(m.Payload) && !p.all:
		default:
			p.msgs = append(p.msgs, m)
		}
	}
	return len(p.msgs) - before
}

// describe proposes the description of an object, unless that has to wait; anyway
// is to publish it also where the broker keeps it already.
func (p *proposal) describe(x homeassistant.Object, msgs []wire.Message, anyway bool) bool {
	if !p.migrate(x) {
		return false
	}
	all, cleared := p.all, p.add(p.a.opts.Hass.Stale(x)...)
	p.all = all || anyway || cleared > 0
	p.add(msgs...)
	p.all = all
	return true
}

// migrate moves an object from another mode to the present one in two steps, and
// reports whether the second may be taken: Home Assistant needs a moment to
// unload what it has, and after a restart of the hub's broker a while to come
// back. Which step has been taken is seen in what the broker keeps.
func (p *proposal) migrate(x homeassistant.Object) bool {
	a, h := p.a, p.a.opts.Hass
	var left []wire.Message
	for _, m := range h.Stale(x) {
		if _, kept := a.kept[m.Topic]; kept {
			left = append(left, m)
		}
	}
	if len(h.Current(x)) == 0 { // off: they are to be deleted, not moved
		left = nil
	}
	left = slices.DeleteFunc(homeassistant.Migrate(left), func(m wire.Message) bool { return a.kept[m.Topic] == sha256.Sum256(m.Payload) })
	if len(left) > 0 {
		p.msgs = append(p.msgs, left...)
		wait := settle
		if a.opts.hub() && !a.home {
			wait = comeBack
		}
		a.hold[x] = p.now.Add(wait)
	}
	return p.released(x, len(left) == 0)
}

// released reports whether an object that was held may be described now, which
// Home Assistant's start allows at once, and otherwise has it looked at later.
func (p *proposal) released(x homeassistant.Object, early bool) bool {
	until := p.a.hold[x]
	if p.now.Before(until) && !(early && p.all) {
		p.a.when.soonAfter(until.Sub(p.now))
		return false
	}
	delete(p.a.hold, x)
	return true
}

// hub describes the hub itself.
func (p *proposal) hub() {
	if !p.a.opts.hub() || !p.a.opts.Hass.Hub {
		return
	}
	msgs, err := p.a.opts.Hass.HubDevice()
	if err != nil {
		p.a.opts.Log.Debug("hub not announced", "err", err)
		return
	}
	p.describe(homeassistant.HubObject, msgs, false)
}

// bridges describes those that cameras hang from, and removes, for the hub,
// those that none does any more.
func (p *proposal) bridges() {
	a := p.a
	names := map[wire.ID]string{}
	for _, camera := range sorted(a.infos) {
		i := a.infos[camera]
		// When its cameras disagree about its name, the first has it: else it would be
		// described anew whenever anything is looked at.
		if i.Bridge != "" && names[i.Bridge] == "" && (a.opts.hub() || a.opts.Bridge.hold(a)) {
			names[i.Bridge] = cmp.Or(i.Host, string(i.Bridge))
		}
	}
	for _, id := range sorted(names) {
		msgs, err := a.opts.Hass.Bridge(id, names[id])
		if err != nil {
			a.opts.Log.Debug("bridge not announced", "bridge", string(id), "err", err)
			continue
		}
		p.describe(homeassistant.BridgeObject(id), msgs, false)
	}
	if !a.opts.hub() || !a.when.orphans.IsZero() {
		return
	}
	for topic := range a.kept {
		x, _ := a.opts.Hass.Ours(topic)
		if bridge, is := x.Bridge(); is && names[bridge] == "" {
			p.add(wire.Message{Topic: topic, QoS: 1, Retained: true})
		}
	}
}

// camera describes one camera, or removes it.
func (p *proposal) camera(id wire.ID, anyway bool) {
	a, x := p.a, homeassistant.CameraObject(id)
	info, known := a.infos[id]
	if !known {
		p.remove(id)
		return
	}
	delete(a.forgotten, id)
	msgs, err := a.opts.Hass.Messages(info)
	if err != nil {
		a.opts.Log.Error("not announced to Home Assistant", "cam", string(id), "err", err)
		return
	}
	if !p.describe(x, msgs, anyway) {
		a.dirty[id] = true
	}
}

// remove clears the description of a camera that the hub does not know any more.
func (p *proposal) remove(id wire.ID) {
	if !p.a.opts.hub() {
		return
	}
	if !p.released(homeassistant.CameraObject(id), false) {
		p.a.touch(id)
		return
	}
	p.add(p.a.opts.Hass.Clear(homeassistant.CameraObject(id))...)
	if p.a.home {
		delete(p.a.forgotten, id)
	} else {
		p.a.forget(id)
	}
}

// sorted returns the keys of a map in their order.
func sorted[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
