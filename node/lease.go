package node

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"camqtt/internal/wire"
	"camqtt/node/camera"
)

// lease is one viewer's wish to see live pictures, until a certain time.
type lease struct {
	until   time.Time // zero: no end
	fps     float64   // 0: as fast as configured
	size    wire.Size
	quality int
}

// shared is the key of the lease that all join who come when maxLeases are held: nobody
// knows who asks, so one who asks under ever new names could keep everybody else out, or,
// were the oldest to give way, take theirs from them. No viewer's token is empty.
const shared = ""

// joined is the least lease that serves those who hold either.
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

// grant takes or renews a lease and returns what its holder has to know.
func (l *loop) grant(key string, le lease) (note string) {
	if _, renewed := l.leases[key]; !renewed && key != wire.Manual && len(l.leases) >= maxLeases {
		key, note = shared, fmt.Sprintf("%d leases are held: this one is shared, and ends by itself", maxLeases)
		if other, held := l.leases[shared]; held {
			le = le.joined(other)
		}
	}
	l.leases[key] = le
	return note
}

// start takes or renews a lease. The answer comes at once when pictures flow
// or the camera is known to be broken, else with the first picture.
func (l *loop) start(c wire.Command, at time.Time) {
	key, given := wire.Manual, c.For
	if c.Viewer != "" {
		key = c.Viewer
		if given == 0 {
			given = defaultLease
		}
	}
	var notes []string
	if most := l.settings.maxStream; most > 0 && (given == 0 || given > most) {
		if given > most {
			notes = append(notes, fmt.Sprintf("for is cut to %s (max_stream)", most))
		}
		given = most
	}
	le := lease{fps: c.FPS, size: c.Size, quality: c.Quality}
	if given > 0 {
		le.until = at.Add(given)
	}
	if text := l.grant(key, le); text != "" {
		notes = append(notes, text)
	}
	note := strings.Join(notes, "; ")
	l.arrange(at)
	l.stated.dirty = true
	if l.run != nil && l.run.warm() {
		l.answer(c, at, wire.OK, note)
		return
	}
	if l.run == nil && l.fault != nil {
		l.answer(c, at, l.fault.code, l.fault.text)
		return
	}
	l.await(request{cmd: c, at: at, lease: true, note: note})
}

// stopLeases ends one viewer's lease, or all.
func (l *loop) stopLeases(c wire.Command, at time.Time) {
	text := ""
	if c.Viewer == "" {
		clear(l.leases)
	} else if _, held := l.leases[c.Viewer]; held {
		delete(l.leases, c.Viewer)
	} else if _, some := l.leases[shared]; some {
		text = "this viewer held no lease of its own; the one that is shared ends by itself"
	} else {
		text = "this viewer held no lease"
	}
	l.stated.dirty = true
	l.answer(c, at, wire.OK, text)
}

func (l *loop) expireLeases(now time.Time) {
	for k, le := range l.leases {
		if !le.until.IsZero() && !now.Before(le.until) {
			delete(l.leases, k)
			l.stated.dirty = true
		}
	}
}

// wanted reports whether anybody wants a picture now.
func (l *loop) wanted() bool { return len(l.leases) > 0 || len(l.pending) > 0 }

// rate returns the pictures per second that leases ask for, capped.
func (l *loop) rate() float64 {
	most := 0.0
	for _, le := range l.leases {
		if le.fps == 0 || le.fps > l.settings.fps {
			return l.settings.fps
		}
		most = max(most, le.fps)
	}
	return most
}

// mode returns what the camera must be opened with: the most that any lease or
// waiting snap asks, capped by configuration.
func (l *loop) mode() camera.Mode {
	var s wire.Size
	quality := 0
	full, best := false, false
	ask := func(sz wire.Size, q int) {
		full = full || sz == (wire.Size{})
		best = best || q == 0
		if sz.Pixels() > s.Pixels() {
			s = sz
		}
		quality = max(quality, q)
	}
	snaps := false
	for _, le := range l.leases {
		ask(le.size, le.quality)
	}
	for _, r := range l.pending {
		if !r.lease {
			ask(r.cmd.Size, r.cmd.Quality)
			snaps = true
		}
	}
	if most := l.settings.size; full || most != (wire.Size{}) && s.Pixels() > most.Pixels() {
		s = most
	}
	s = offered(l.profile().Sizes, s)
	if best || l.settings.quality > 0 && quality > l.settings.quality {
		quality = l.settings.quality
	}
	m := camera.Mode{Width: s.Width, Height: s.Height, Quality: quality, FPS: l.rate(), Flash: l.settings.flash, Still: len(l.leases) == 0}
	if snaps && m.FPS < 1 && !l.profile().Prompted { // a slow stream must not make a snap slow
		m.FPS = l.settings.fps
		if !m.Still && slices.Contains(l.profile().Caps, camera.CapStill) {
			m.FPS = min(m.FPS, 1) // fast enough, and it need not open its stream for it
		}
	}
	if most := l.profile().MaxFPS; most > 0 {
		m.FPS = min(m.FPS, most)
	}
	return l.obeyed(m)
}

// largest is the longest side asked of a camera that does not say what it can.
const largest = 4096

// offered returns the greatest of the sizes a camera offers that is not larger
// than asked, or its smallest: one viewer's odd wish must not break the camera
// for the others.
func offered(sizes []camera.Size, s wire.Size) wire.Size {
	if s == (wire.Size{}) {
		return s
	}
	if len(sizes) == 0 {
		return wire.Size{Width: min(s.Width, largest), Height: min(s.Height, largest)}
	}
	var best, least wire.Size
	for _, c := range sizes {
		o := size(c)
		if least == (wire.Size{}) || o.Pixels() < least.Pixels() {
			least = o
		}
		if o.Width <= s.Width && o.Height <= s.Height && o.Pixels() > best.Pixels() {
			best = o
		}
	}
	if best == (wire.Size{}) {
		return least
	}
	return best
}

// obeyed leaves out what the source does not obey, so that a wish it cannot
// follow does not reopen it.
func (l *loop) obeyed(m camera.Mode) camera.Mode {
	caps := l.profile().Caps
	if !slices.Contains(caps, "size") {
		m.Width, m.Height = 0, 0
	}
	if !slices.Contains(caps, "fps") {
		m.FPS = 0
	}
	if !slices.Contains(caps, "quality") {
		m.Quality = 0
	}
	if !slices.Contains(caps, camera.CapFlash) {
		m.Flash = 0
	}
	m.Still = m.Still && slices.Contains(caps, camera.CapStill)
	return m
}

func (l *loop) profile() camera.Profile { return l.opts.Source.Profile() }
