package node

import (
	"fmt"
	"time"

	"camqtt/internal/wire"
)

// lease is one viewer's request for live pictures, until a certain time.
type lease struct {
	until   time.Time // zero: no end
	fps     float64   // 0: as fast as configured
	size    wire.Size
	quality int
}

// joined is the smallest lease that covers both.
func (le lease) joined(other lease) lease {
	if le.until.IsZero() || !other.until.IsZero() && other.until.Before(le.until) {
		other.until = le.until
	}
	if le.fps == 0 || other.fps != 0 && le.fps > other.fps {
		other.fps = le.fps
	}
	if le.size == (wire.Size{}) || other.size != (wire.Size{}) && le.size.Pixels() > other.size.Pixels() {
		other.size = le.size
	}
	if le.quality == 0 || other.quality != 0 && le.quality > other.quality {
		other.quality = le.quality
	}
	return other
}

// shared is the key of the lease that is joined by new viewers while maxLeases are held. A
// client can ask under any number of names: refusing new viewers, or ending the oldest
// lease, would let it shut out the others. No viewer's token is empty.
const shared = ""

// leases are the leases that are held, by viewer.
type leases struct {
	held    map[string]lease
	changed func() // the number of leases has changed
}

func newLeases(changed func()) *leases { return &leases{held: map[string]lease{}, changed: changed} }

// grant takes or renews a lease. The note says what its holder has to know.
func (l *leases) grant(viewer string, le lease) (note string) {
	if _, renewed := l.held[viewer]; !renewed && viewer != wire.Manual && len(l.held) >= maxLeases {
		viewer, note = shared, fmt.Sprintf("%d leases are held: this one is shared, and ends by itself", maxLeases)
		if other, held := l.held[shared]; held {
			le = le.joined(other)
		}
	}
	l.held[viewer] = le
	l.changed()
	return note
}

// end ends one viewer's lease, or all of them for "". The note says what its holder has to
// know.
func (l *leases) end(viewer string) (note string) {
	if viewer == "" && l.any() {
		clear(l.held)
		l.changed()
	}
	if viewer == "" {
		return ""
	}
	if _, held := l.held[viewer]; held {
		delete(l.held, viewer)
		l.changed()
		return ""
	}
	if _, held := l.held[shared]; held {
		return "this viewer held no lease of its own; the one that is shared ends by itself"
	}
	return "this viewer held no lease"
}

func (l *leases) any() bool { return len(l.held) > 0 }

// rate returns the pictures per second that leases ask for, at most limit.
func (l *leases) rate(limit float64) float64 {
	most := 0.0
	for _, le := range l.held {
		if le.fps == 0 || le.fps > limit {
			return limit
		}
		most = max(most, le.fps)
	}
	return most
}

// next is when the first lease ends.
func (l *leases) next() time.Time {
	var first time.Time
	for _, le := range l.held {
		first = earlier(first, le.until)
	}
	return first
}

// run ends the leases whose time is over.
func (l *leases) run(now time.Time) {
	for viewer, le := range l.held {
		if due(le.until, now) {
			delete(l.held, viewer)
			l.changed()
		}
	}
}
