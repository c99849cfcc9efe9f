package announce

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"math/rand/v2"
	"sync"
	"time"

	"camqtt/internal/homeassistant"
	"camqtt/internal/wire"
)

// sum stands for a payload that the broker keeps.
type sum [sha256.Size]byte

// Announcer publishes discovery. Make one with [New].
type Announcer struct {
	opts Options

	mu      sync.Mutex
	when    schedule
	up      bool
	infos   map[wire.ID]wire.Info
	status  map[wire.ID]string // of the cameras, for the hub
	dirty   map[wire.ID]bool   // what is kept for them must be looked at; true: published in any case
	kept    map[string]sum     // what the broker keeps, by topic, as far as it has told
	graves  map[string]bool    // topics that were cleared: Home Assistant may have been away
	foreign bool               // the hub describes the cameras: not this announcer's turn
	strikes int                // connections lost over discovery, in a row

	home      bool                               // Home Assistant is connected
	hold      map[homeassistant.Object]time.Time // not to be described before
	forgotten map[wire.ID]bool                   // of which Home Assistant has still to be told
	deleted   map[wire.ID]bool                   // in Home Assistant while offline: to be forgotten

	overrode time.Time // when another publisher's was last overwritten
}

// Filters returns what must be subscribed to. A broker may refuse any of them:
// then discovery is published once on every connection.
func (a *Announcer) Filters() []string {
	o := a.opts
	f := []string{o.Hass.BirthTopic(), o.Hass.Base.Hub()}
	if o.hub() {
		return append(append(f, o.Hass.EveryFilter()...), o.Hass.Base.Every(wire.KindInfo), o.Hass.Base.Every(wire.KindStatus))
	}
	f = append(f, o.Hass.Filters(homeassistant.CameraObject(o.Camera))...)
	if o.Bridge != nil {
		f = append(f, o.Hass.Filters(homeassistant.BridgeObject(o.Bridge.id))...)
	}
	return f
}

// Info tells what the camera says of itself, whenever it says so; nil while
// another node serves it.
func (a *Announcer) Info(i *wire.Info) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if i == nil {
		delete(a.infos, a.opts.Camera)
		return
	}
	a.infos[a.opts.Camera] = *i
	a.look(a.opts.Camera)
}

// LinkUp says that the connection is up and the filters are subscribed.
func (a *Announcer) LinkUp() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.up = true
	a.when.birth, a.when.due = time.Time{}, time.Time{}
	if a.opts.hub() {
		a.when.orphans = time.Now().Add(orphanGrace)
	}
	for id := range a.infos {
		a.touch(id)
	}
	a.soon()
}

// LinkDown says that the connection has ended. What the broker told is forgotten
// now and not when the connection is up again: what it keeps may be told before
// anybody has noticed that it is up.
func (a *Announcer) LinkDown(error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.up, a.foreign, a.home = false, false, false
	clear(a.kept)
	clear(a.hold)
	if a.opts.hub() {
		clear(a.infos)
		clear(a.status)
	}
	a.opts.Bridge.release(a)
}

// Handle takes a message, and reports whether it was for the announcer only. It
// never blocks.
func (a *Announcer) Handle(m wire.Message) bool {
	o := a.opts
	a.mu.Lock()
	defer a.mu.Unlock()
	switch m.Topic {
	case o.Hass.BirthTopic():
		a.sawHome(m)
		return true
	case o.Hass.Base.Hub():
		a.sawHub(m)
		return true
	}
	if x, ok := o.Hass.Ours(m.Topic); ok {
		a.sawDiscovery(m, x)
		return true
	}
	id, kind, ok := o.Hass.Base.Split(m.Topic)
	switch {
	case !ok || !o.hub():
		return false
	case kind == wire.KindInfo:
		a.sawInfo(id, m)
		return true
	case kind == wire.KindStatus:
		a.sawStatus(id, m)
		return true
	}
	return false
}

// sawHome learns that Home Assistant comes or goes.
func (a *Announcer) sawHome(m wire.Message) {
	if m.Retained { // old: connecting has announced
		return
	}
	a.home = string(m.Payload) == wire.Online
	if a.home && a.when.birth.IsZero() {
		a.when.birth = time.Now().Add(leastBirth + rand.N(birthSpread))
		a.when.wake()
	}
}

// sawStatus learns whether a camera is online.
func (a *Announcer) sawStatus(id wire.ID, m wire.Message) {
	switch {
	case len(m.Payload) == 0:
		delete(a.status, id)
	case len(m.Payload) <= len(wire.Sleeping) && len(a.status) < maxCameras:
		a.status[id] = string(m.Payload)
	}
}

// sawHub learns whether the broker's own process speaks for all cameras; the hub,
// what it has noted itself.
func (a *Announcer) sawHub(m wire.Message) {
	var h wire.Hub
	ok := len(m.Payload) > 0 && len(m.Payload) <= maxInfo && json.Unmarshal(m.Payload, &h) == nil && h.Discovery != ""
	if a.opts.hub() {
		a.keep(m)
		for _, id := range h.Forgotten {
			if _, err := wire.ParseID(string(id)); err == nil && m.Retained {
				a.forget(id)
			}
		}
		return
	}
	if a.foreign = ok; !ok {
		a.look(a.opts.Camera)
	}
}

// sawDiscovery learns what the broker keeps. What others write over it is put
// right by the hub, now and then.
func (a *Announcer) sawDiscovery(m wire.Message, x homeassistant.Object) {
	before, had := a.kept[m.Topic]
	a.keep(m)
	if len(m.Payload) == 0 {
		if had && !a.foreign { // by another client: own messages are noted when they are planned
			a.sawDeleted(x)
		}
		return
	}
	if now := a.kept[m.Topic]; had && now == before {
		return
	}
	if m.Retained || !a.opts.hub() {
		a.when.soonAfter(settle)
	} else {
		a.when.soonAfter(max(settle, time.Until(a.overrode.Add(correction))))
		a.overrode = time.Now()
	}
	if camera, is := x.Camera(); is && a.known(camera) && (a.opts.hub() || camera == a.opts.Camera) {
		a.touch(camera)
	}
}

func (a *Announcer) known(id wire.ID) bool {
	_, ok := a.infos[id]
	return ok
}

// keep notes what the broker keeps under a topic.
func (a *Announcer) keep(m wire.Message) {
	if len(m.Payload) == 0 {
		delete(a.kept, m.Topic)
		return
	}
	a.kept[m.Topic] = sha256.Sum256(m.Payload)
}

// sawInfo learns of a camera, or that it is forgotten.
func (a *Announcer) sawInfo(id wire.ID, m wire.Message) {
	if len(m.Payload) == 0 {
		delete(a.infos, id)
		a.look(id)
		return
	}
	var i wire.Info
	if len(m.Payload) > maxInfo || json.Unmarshal(m.Payload, &i) != nil || i.ID != "" && i.ID != id {
		a.opts.Log.Debug("info not understood", "cam", string(id), "bytes", len(m.Payload))
		return
	}
	if i.Standby { // another node serves
		return
	}
	if !a.known(id) && len(a.infos) >= maxCameras {
		a.opts.Log.Debug("not announced: too many cameras", "cam", string(id))
		return
	}
	i.ID = id
	a.infos[id] = i
	a.look(id)
}

// look has a camera looked at, together with what else happens in a moment.
func (a *Announcer) look(id wire.ID) {
	a.touch(id)
	a.soon()
}

// touch has a camera looked at when it is time.
func (a *Announcer) touch(id wire.ID) {
	if _, is := a.dirty[id]; !is {
		a.dirty[id] = false
	}
}

func (a *Announcer) soon() {
	wait := settle
	if a.opts.Bridge != nil && !a.opts.Bridge.hold(a) {
		wait += afterBridge
	}
	a.when.soonAfter(wait)
}

// Serve announces until ctx is done.
func (a *Announcer) Serve(ctx context.Context) error {
	timer := time.NewTimer(longest)
	defer timer.Stop()
	for {
		a.mu.Lock()
		wait := longest
		if a.up {
			wait = a.when.wait(time.Now())
		}
		a.mu.Unlock()
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return nil
		case <-a.when.ring:
		case <-timer.C:
		}
		if msgs := a.plan(time.Now()); len(msgs) > 0 {
			a.publish(ctx, msgs)
		}
	}
}

// publish sends what was planned, as long as the connection carries it.
func (a *Announcer) publish(ctx context.Context, msgs []wire.Message) {
	for at := 0; at < len(msgs); at += batch {
		part := msgs[at:min(at+batch, len(msgs))]
		if err := a.opts.Link.Publish(ctx, part...); err != nil {
			if ctx.Err() == nil {
				a.failed(err)
			}
			return
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.strikes, a.when.flushed = 0, time.Now()
}

// failed counts the connections that ended over discovery: some brokers end
// one that publishes what it may not, and then the camera would come and go
// for ever.
func (a *Announcer) failed(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.strikes++
	a.when.flushed = time.Now()
	clear(a.kept) // unknown now
	for id := range a.infos {
		a.touch(id)
	}
	a.when.due = time.Now().Add(again)
	if a.strikes == maxStrikes {
		a.opts.Log.Error("not announced to Home Assistant any more: the broker ends the connection over it; allow this account to publish below the discovery prefix, or set homeassistant.discovery to off",
			"prefix", a.opts.Hass.BirthTopic(), "err", err)
		return
	}
	a.opts.Log.Debug("discovery not acknowledged", "err", err)
}
