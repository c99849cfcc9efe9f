package broker

import (
	"strings"
	"time"
)

// pace decides when a change of a retained message is written. A memory card wears out
// by being written to, and a camera's state changes every second while somebody
// watches; so a topic that was written a short while ago waits. It is used under the
// lock of retained.
type pace struct {
	slow    time.Duration
	soon    bool      // something is to be written the next time
	waiting time.Time // since when something less urgent waits; zero: nothing does

	last map[string]time.Time // topic -> when it was last urgent
}

// changed notes that a topic changed, which is urgent if it is for the first time in a
// while.
func (p *pace) changed(base, topic string, now time.Time) {
	last, known := p.last[topic]
	rest, below := strings.CutPrefix(topic, base+"/")
	_, name, _ := strings.Cut(rest, "/")
	switch {
	case below && name == "status":
	case below && name == "state", known && now.Sub(last) < p.slow:
		if p.waiting.IsZero() {
			p.waiting = now
		}
		return
	}
	p.soon = true
	p.last[topic] = now
}

// removed notes that a topic is gone. Whoever removes something wants it gone.
func (p *pace) removed(topic string) {
	p.soon = true
	delete(p.last, topic)
}

// due says whether it is time to write everything; the zero time is the last.
func (p *pace) due(now time.Time) bool {
	waited := !p.waiting.IsZero() && (now.IsZero() || now.Sub(p.waiting) >= p.slow)
	if !p.soon && !waited {
		return false
	}
	p.soon, p.waiting = false, time.Time{}
	for topic, last := range p.last {
		if now.Sub(last) >= p.slow {
			delete(p.last, topic)
		}
	}
	return true
}
