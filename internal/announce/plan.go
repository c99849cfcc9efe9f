package announce

import (
	"cmp"
	"crypto/sha256"
	"maps"
	"slices"
	"time"

	"camqtt/internal/hass"
	"camqtt/internal/wire"
)

// plan returns what is to be published now, and takes it as kept: whoever
// publishes it says when that has failed.
func (a *Announcer) plan(now time.Time) []wire.Message {
	a.mu.Lock()
	defer a.mu.Unlock()
	ripe := func(at time.Time) bool { return !at.IsZero() && !now.Before(a.spaced(at)) }
	born, changed := ripe(a.birth), ripe(a.due)
	if !a.up || !born && !changed && !ripe(a.orphans) {
		return nil
	}
	if born {
		a.birth = time.Time{}
	}
	a.due = time.Time{}
	if a.foreign || a.strikes >= maxStrikes {
		return nil // what is dirty stays so, should the hub ever leave
	}
	if ripe(a.orphans) {
		a.orphans = time.Time{}
		a.forgetOrphans()
	}
	p := proposal{a: a, all: born, again: map[wire.ID]bool{}}
	if born {
		p.mourn()
		for id := range a.infos {
			a.touch(id)
		}
	}
	if a.opts.hub() {
		p.add(a.marker())
	}
	p.bridges()
	for _, id := range slices.Sorted(maps.Keys(a.dirty)) {
		p.camera(id)
	}
	clear(a.dirty)
	for id := range p.again {
		a.look(id)
		a.dirty[id] = true
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
		if camera, _, ok := a.opts.Hass.Ours(topic); ok && camera != "" && !a.known(camera) {
			a.touch(camera)
		}
	}
}

// marker says that the hub describes the cameras.
func (a *Announcer) marker() wire.Message {
	h := a.opts.Hass
	b, err := wire.JSON(wire.Hub{
		Discovery: string(cmp.Or(h.Mode, hass.Device)), Prefix: cmp.Or(h.Prefix, hass.DefaultPrefix), Version: h.Version,
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
	all  bool
	msgs []wire.Message
	// again are cameras to describe a moment later, in any case: their old
	// entities must have gone from Home Assistant before it takes new ones under
	// the same unique ids, and it may have refused those already.
	again map[wire.ID]bool
}

// mourn says once more what has been removed since the start: Home Assistant
// says that it is there also when only its connection has come back, and it
// still shows what was removed while it was away.
func (p *proposal) mourn() {
	for _, topic := range slices.Sorted(maps.Keys(p.a.graves)) {
		p.msgs = append(p.msgs, wire.Message{Topic: topic, QoS: 1, Retained: true})
		if camera, _, ok := p.a.opts.Hass.Ours(topic); ok && p.a.known(camera) {
			p.again[camera] = true
		}
	}
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

// bridges describes those that cameras hang from, and removes, for the hub,
// those that none does any more.
func (p *proposal) bridges() {
	a := p.a
	names := map[wire.ID]string{}
	for _, camera := range slices.Sorted(maps.Keys(a.infos)) {
		i := a.infos[camera]
		// When its cameras disagree about its name, the first has it: else it would be
		// described anew whenever anything is looked at.
		if i.Bridge != "" && names[i.Bridge] == "" && (a.opts.hub() || a.opts.Bridge.hold(a)) {
			names[i.Bridge] = cmp.Or(i.Host, string(i.Bridge))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(names)) {
		msgs, err := a.opts.Hass.Bridge(id, names[id])
		if err != nil {
			a.opts.Log.Debug("bridge not announced", "bridge", string(id), "err", err)
			continue
		}
		p.add(append(a.opts.Hass.StaleBridge(id), msgs...)...)
	}
	if !a.opts.hub() || !a.orphans.IsZero() {
		return
	}
	for topic := range a.kept {
		if _, bridge, ok := a.opts.Hass.Ours(topic); ok && bridge != "" && names[bridge] == "" {
			p.add(wire.Message{Topic: topic, QoS: 1, Retained: true})
		}
	}
}

// camera describes one camera, or removes it.
func (p *proposal) camera(id wire.ID) {
	a := p.a
	info, known := a.infos[id]
	if !known {
		if a.opts.hub() {
			p.add(a.opts.Hass.Clear(id)...)
		}
		return
	}
	msgs, err := a.opts.Hass.Messages(info)
	if err != nil {
		a.opts.Log.Error("not announced to Home Assistant", "cam", string(id), "err", err)
		return
	}
	if p.again[id] || p.add(a.opts.Hass.Stale(id)...) > 0 {
		p.again[id] = true
		return
	}
	anyway := proposal{a: a, all: p.all || a.dirty[id]}
	anyway.add(msgs...)
	p.msgs = append(p.msgs, anyway.msgs...)
}
