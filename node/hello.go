package node

import (
	"math/rand/v2"
	"time"
)

// helloAll keeps the commands hello to all cameras, which are answered together after a
// random time, so that a thousand cameras do not answer at once.
type helloAll struct {
	answer  func([]request)
	at      time.Time // zero: none waits
	waiting []request
}

// add keeps a command. It reports false when too many wait.
func (h *helloAll) add(r request) bool {
	if len(h.waiting) >= maxPending {
		return false
	}
	if h.at.IsZero() {
		h.at = r.at.Add(rand.N(helloSpread))
	}
	h.waiting = append(h.waiting, r)
	return true
}

// next is when the commands are answered.
func (h *helloAll) next() time.Time { return h.at }

// run answers them.
func (h *helloAll) run(now time.Time) {
	if due(h.at, now) {
		waiting := h.waiting
		h.at, h.waiting = time.Time{}, nil
		h.answer(waiting)
	}
}
