package node

import (
	"math/rand/v2"
	"time"

	"camqtt/internal/wire"
)

// helloAll keeps the commands hello to all cameras, which are answered together after a
// random time, so that a thousand cameras do not answer at once.
type helloAll struct {
	due     time.Time // zero: none waits
	waiting []request
}

// add keeps a command. It reports false when too many wait.
func (h *helloAll) add(r request) bool {
	if len(h.waiting) >= maxPending {
		return false
	}
	if h.due.IsZero() {
		h.due = r.at.Add(rand.N(helloSpread))
	}
	h.waiting = append(h.waiting, r)
	return true
}

// take returns what is to be answered now.
func (h *helloAll) take(now time.Time) []request {
	if h.due.IsZero() || now.Before(h.due) {
		return nil
	}
	out := h.waiting
	*h = helloAll{}
	return out
}

// hello publishes status, info and state again; after a moment when every camera was
// asked at once.
func (l *loop) hello(c wire.Command, at time.Time, all bool) {
	switch {
	case !all:
		l.greetAgain([]request{{cmd: c, at: at}})
	case !l.hellos.add(request{cmd: c, at: at}):
		l.flood.add(string(c.Verb), c.ID)
	}
}

// greetAgain answers commands hello.
func (l *loop) greetAgain(asked []request) {
	if len(asked) == 0 || l.presence.standby {
		return
	}
	l.assert()
	for _, r := range asked {
		l.answer(r.cmd, r.at, wire.OK, "")
	}
}
