package node

import (
	"math/rand/v2"
	"time"

	"camqtt/internal/wire"
)

// firstLook has a camera looked at once after the node's start and after its privacy:
// cards show a picture then, and a camera that cannot be opened is known before
// anybody asks for a picture. The zero value never looks.
type firstLook struct {
	spread time.Duration // it is at a random time within it, so that cameras do not start together
	at     time.Time     // when; zero: not planned
	had    bool          // a picture has come, or it has been asked for
}

// plan sets the time, unless the camera has been looked at.
func (f *firstLook) plan(now time.Time) {
	if f.spread > 0 && !f.had && f.at.IsZero() {
		f.at = now.Add(rand.N(f.spread))
	}
}

// again forgets that the camera has been looked at: what was published is cleared.
func (f *firstLook) again() { f.at, f.had = time.Time{}, false }

// seen notes a picture.
func (f *firstLook) seen() { f.at, f.had = time.Time{}, true }

// due reports whether the time has come.
func (f *firstLook) due(now time.Time) bool { return !f.at.IsZero() && !now.Before(f.at) }

// causeFirst is the cause of a request that nobody has made.
const causeFirst = "first"

// look asks for the picture when it is time. A camera that sends when it likes is left
// alone: it may be asleep.
func (l *loop) look(now time.Time) {
	if !l.first.due(now) {
		return
	}
	l.first.at = time.Time{}
	if l.settings.privacy || l.presence.standby || !l.presence.online || l.unasked() {
		return // planned anew when that ends
	}
	l.first.seen()
	closed := l.run == nil
	l.request(request{cmd: wire.Command{Verb: wire.Still}, cause: causeFirst, at: now})
	if closed && l.run != nil {
		l.run.look = true
	}
}

// used notes that an open camera is used for more than a first look.
func (r *run) used() {
	if r != nil {
		r.look = false
	}
}
