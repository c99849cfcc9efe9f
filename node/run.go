package node

import (
	"context"
	"fmt"
	"time"

	"camqtt/internal/wire"
	"camqtt/node/camera"
)

// run is the camera, open.
type run struct {
	mode    camera.Mode
	cancel  context.CancelFunc
	frames  slot[camera.Frame]
	done    chan error
	opened  time.Time
	first   time.Duration // how long the first picture may take
	newest  time.Time     // when the newest picture came, zero before the first
	gap     time.Duration // between pictures, smoothed
	begun   time.Time     // when the oldest picture came
	closing bool          // asked to end
	broken  uint64        // broken pictures of this camera when the newest came, or it was opened
	prompt  *prompter     // nil for sources that need no asking
	brief   bool          // opened for the first picture alone: it closes right after

	pushed  bool          // the camera sends by itself: silence does not end it
	every   time.Duration // how often it is expected to send; 0: not known
	overdue bool          // that has not happened, and has been said
}

// warm reports whether the camera has delivered: a snap is its next picture.
func (r *run) warm() bool { return !r.closing && !r.newest.IsZero() }

// deadline is when the camera counts as stalled unless a picture comes: five of its own
// intervals, at least 3 s. Until two have come the interval is unknown. Zero: never.
func (r *run) deadline() time.Time {
	switch {
	case r.pushed:
		return r.expected()
	case r.idle():
		return r.newest.Add(24 * time.Hour)
	case r.prompt != nil && r.mode.FPS == 0 && !r.prompt.waiting.IsZero():
		return r.prompt.waiting.Add(r.first)
	case r.newest.IsZero():
		return r.opened.Add(r.first)
	case r.gap == 0:
		return r.newest.Add(r.first)
	}
	return r.newest.Add(max(3*time.Second, 5*r.gap))
}

// expected is when a camera that sends by itself is overdue: one picture failed to come,
// and half the time of another has passed. Zero: not known, or it has been said.
func (r *run) expected() time.Time {
	if r.every == 0 || r.overdue {
		return time.Time{}
	}
	last := r.newest
	if last.IsZero() {
		last = r.opened
	}
	return last.Add(5 * r.every / 2)
}

// idle reports whether the camera is open and nothing is expected of it: it
// takes pictures when prompted, and has taken the last that was asked for.
func (r *run) idle() bool {
	return r.prompt != nil && r.mode.FPS == 0 && !r.newest.IsZero() && r.prompt.idle()
}

// received notes that a whole picture came; broken is how many were not, ever.
func (r *run) received(now time.Time, broken uint64) {
	if r.newest.IsZero() {
		r.begun = now
	} else {
		gap := now.Sub(r.newest)
		if r.gap == 0 {
			r.gap = gap
		}
		r.gap += (gap - r.gap) / 4
	}
	r.newest, r.broken, r.overdue = now, broken, false
}

// stalled says for how long no picture came, and what came instead: n broken ones in all,
// why is what was wrong with the last.
func (r *run) stalled(now time.Time, n uint64, why string) string {
	waited := now.Sub(r.opened)
	if !r.newest.IsZero() {
		waited = now.Sub(r.newest)
	}
	waited = waited.Round(100 * time.Millisecond)
	if n > r.broken {
		return fmt.Sprintf("no whole picture for %s: %d came that were broken, the last: %s", waited, n-r.broken, why)
	}
	return fmt.Sprintf("no picture from the camera for %s", waited)
}

// serves reports whether a camera open with mode have suits want. A rate that
// is too high does not matter: the node drops pictures, which is better than the
// gap of reopening; and a camera that streams can give single pictures too.
func serves(have, want camera.Mode) bool {
	return have.Width == want.Width && have.Height == want.Height &&
		have.Quality == want.Quality && have.Flash == want.Flash &&
		(!have.Still || want.Still) && have.FPS >= want.FPS
}

// modeText is a mode for the log.
func modeText(m camera.Mode) string {
	return fmt.Sprintf("%s fps=%g quality=%d", wire.Size{Width: m.Width, Height: m.Height}, m.FPS, m.Quality)
}
