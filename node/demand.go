package node

import (
	"slices"

	"camqtt/internal/wire"
	"camqtt/node/camera"
)

// demand is what leases and requests ask of the camera together.
type demand struct {
	leases   *leases
	requests *requests
	settings *settings
}

// any reports whether a picture is wanted now.
func (d demand) any() bool { return d.leases.any() || len(d.requests.waiting) > 0 }

// rate returns the pictures per second to be sent.
func (d demand) rate() float64 { return d.leases.rate(d.settings.number(wire.SetFPS)) }

// mode returns what the camera must be opened with: the most that any lease or request
// asks, capped by the settings.
func (d demand) mode(p camera.Profile) camera.Mode {
	s, quality, snaps := d.most()
	s = offered(p.Sizes, s)
	m := camera.Mode{
		Width: s.Width, Height: s.Height, Quality: quality, FPS: d.rate(), Flash: d.settings.flash(), Still: !d.leases.any(),
	}
	if snaps && m.FPS < 1 && !p.Prompted { // a slow stream must not make a snap slow
		m.FPS = d.settings.number(wire.SetFPS)
		if !m.Still && slices.Contains(p.Caps, camera.CapStill) {
			m.FPS = min(m.FPS, 1) // fast enough, and the camera need not open its stream for it
		}
	}
	if p.MaxFPS > 0 {
		m.FPS = min(m.FPS, p.MaxFPS)
	}
	return obeyed(m, p.Caps)
}

// most returns the greatest size and quality that are asked for, and whether single
// pictures are.
func (d demand) most() (s wire.Size, quality int, snaps bool) {
	full, best := false, false
	ask := func(sz wire.Size, q int) {
		full = full || sz == (wire.Size{})
		best = best || q == 0
		if sz.Pixels() > s.Pixels() {
			s = sz
		}
		quality = max(quality, q)
	}
	for _, le := range d.leases.held {
		ask(le.size, le.quality)
	}
	for _, r := range d.requests.waiting {
		if !r.lease {
			ask(r.cmd.Size, r.cmd.Quality)
			snaps = true
		}
	}
	if limit := d.settings.size(); full || limit != (wire.Size{}) && s.Pixels() > limit.Pixels() {
		s = limit
	}
	if best || d.settings.quality() > 0 && quality > d.settings.quality() {
		quality = d.settings.quality()
	}
	return s, quality, snaps
}

// largest is the longest side asked of a camera that does not say what it can.
const largest = 4096

// offered returns the greatest of the sizes a camera offers that is not larger than asked,
// or its smallest: one viewer's unusual request must not break the camera for the others.
func offered(sizes []camera.Size, s wire.Size) wire.Size {
	if s == (wire.Size{}) {
		return s
	}
	if len(sizes) == 0 {
		return wire.Size{Width: min(s.Width, largest), Height: min(s.Height, largest)}
	}
	var best, least wire.Size
	for _, c := range sizes {
		o := wire.Size(c)
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

// obeyed leaves out what the source does not obey: a request for it must not reopen the
// camera.
func obeyed(m camera.Mode, caps []string) camera.Mode {
	if !slices.Contains(caps, camera.CapSize) {
		m.Width, m.Height = 0, 0
	}
	if !slices.Contains(caps, camera.CapFPS) {
		m.FPS = 0
	}
	if !slices.Contains(caps, camera.CapQuality) {
		m.Quality = 0
	}
	if !slices.Contains(caps, camera.CapFlash) {
		m.Flash = 0
	}
	m.Still = m.Still && slices.Contains(caps, camera.CapStill)
	return m
}
