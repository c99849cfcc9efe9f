package node

import (
	"math/rand/v2"
	"time"
)

// firstLook asks for one picture after the node's start and after its privacy: cards show a
// picture then, and a camera that cannot be opened is known before a picture is asked for.
type firstLook struct {
	spread time.Duration // it is at a random time within it, so that cameras do not start together; 0: never
	ask    func(now time.Time)
	at     time.Time // when; zero: not planned
	had    bool      // a picture has come, or it has been asked for
}

// causeFirst is the cause of a request that no client has made.
const causeFirst = "first"

// plan sets the time, unless a picture has come.
func (f *firstLook) plan(now time.Time) {
	if f.spread > 0 && !f.had && f.at.IsZero() {
		f.at = now.Add(rand.N(f.spread))
	}
}

// reset forgets that a picture has come: what was published is cleared.
func (f *firstLook) reset() { f.at, f.had = time.Time{}, false }

// seen notes a picture.
func (f *firstLook) seen() { f.at, f.had = time.Time{}, true }

func (f *firstLook) next() time.Time { return f.at }

func (f *firstLook) run(now time.Time) {
	if due(f.at, now) {
		f.at = time.Time{}
		f.ask(now)
	}
}
