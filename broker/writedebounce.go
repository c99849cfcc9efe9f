package broker

import (
	"strings"
	"time"
)

// writeDebounce decides when a changed topic is written. A memory card wears out by being written
// to, and a camera's state changes every second while it is watched; so a topic that
// was written a short while ago waits, and those that wait are written together. It is
// used under the lock of retained.
type writeDebounce struct {
	slow    time.Duration
	soon    map[string]bool // topics to be written the next time
	waiting map[string]bool // topics that are less urgent
	since   time.Time       // when the first of those began to wait

	last map[string]time.Time // topic -> when it was last urgent, or written
}

func newWriteDebounce(slow time.Duration) writeDebounce {
	return writeDebounce{slow: slow, soon: map[string]bool{}, waiting: map[string]bool{}, last: map[string]time.Time{}}
}

// changed notes that a topic changed, which is urgent if it is for the first time in a
// while.
func (p *writeDebounce) changed(base, topic string, now time.Time) {
	last, known := p.last[topic]
	rest, below := strings.CutPrefix(topic, base+"/")
	_, name, _ := strings.Cut(rest, "/")
	switch {
	case below && name == "status", p.soon[topic]:
	case below && name == "state", known && now.Sub(last) < p.slow:
		if len(p.waiting) == 0 {
			p.since = now
		}
		p.waiting[topic] = true
		return
	}
	p.urgent(topic)
	p.last[topic] = now
}

func (p *writeDebounce) urgent(topic string) {
	delete(p.waiting, topic)
	p.soon[topic] = true
}

// removed notes that a topic is gone. A removal is urgent.
func (p *writeDebounce) removed(topic string) {
	p.urgent(topic)
	delete(p.last, topic)
}

// due gives the topics that it is time to write; the zero time is the last.
func (p *writeDebounce) due(now time.Time) []string {
	out := make([]string, 0, len(p.soon))
	for topic := range p.soon {
		out = append(out, topic)
	}
	clear(p.soon)
	if len(p.waiting) > 0 && (now.IsZero() || now.Sub(p.since) >= p.slow) {
		for topic := range p.waiting {
			out = append(out, topic)
			p.last[topic] = now
		}
		clear(p.waiting)
	}
	if len(out) > 0 {
		for topic, last := range p.last {
			if now.Sub(last) >= p.slow {
				delete(p.last, topic)
			}
		}
	}
	return out
}
