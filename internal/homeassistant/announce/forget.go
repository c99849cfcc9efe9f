package announce

import (
	"time"

	"camqtt/internal/homeassistant"
	"camqtt/internal/wire"
)

// Home Assistant deletes a device by clearing its discovery: that of the device,
// or of each entity. A single entity that was cleared stays away until Home
// Assistant or the camera starts again.

// sawDeleted learns that another client has cleared a discovery message. A camera
// that is offline is forgotten; whatever else is deleted as a whole comes again.
func (a *Announcer) sawDeleted(x homeassistant.Object) {
	for _, m := range a.opts.Hass.Current(x) {
		if _, kept := a.kept[m.Topic]; kept {
			return
		}
	}
	camera, is := x.Camera()
	switch {
	case is && !a.known(camera):
		return
	case is && a.opts.hub() && !a.alive(camera):
		a.deleted[camera] = true
		a.soon()
		return
	case is:
		a.touch(camera)
	}
	a.hold[x] = time.Now().Add(restore)
	a.when.soonAfter(restore)
}

// alive reports whether a camera can be expected to describe itself again.
func (a *Announcer) alive(id wire.ID) bool {
	return a.status[id] == wire.Online || a.status[id] == wire.Sleeping
}

// forget notes a camera of which Home Assistant has still to be told.
func (a *Announcer) forget(id wire.ID) {
	if len(a.forgotten) < maxForgot {
		a.forgotten[id] = true
	}
}

// clearDeleted removes what the broker keeps of cameras that were deleted in Home
// Assistant.
func (p *proposal) clearDeleted() {
	for _, id := range sorted(p.a.deleted) {
		p.msgs = append(p.msgs, p.a.opts.Hass.Base.Cleared(id)...)
		delete(p.a.infos, id)
		delete(p.a.status, id)
		p.a.touch(id)
	}
	clear(p.a.deleted)
}

// remind has Home Assistant forget cameras that were removed while it was not
// connected. It keeps what it knows of a device whose description it does not
// find any more, until it has heard one and then none.
func (p *proposal) remind() {
	for _, id := range sorted(p.a.forgotten) {
		if p.a.known(id) {
			delete(p.a.forgotten, id)
			continue
		}
		msgs, err := p.a.opts.Hass.Everything(id)
		if err != nil {
			p.a.opts.Log.Debug("forgotten camera not described", "cam", string(id), "err", err)
			continue
		}
		p.add(msgs...)
		p.a.hold[homeassistant.CameraObject(id)] = p.now.Add(believe)
		p.a.touch(id)
	}
}
