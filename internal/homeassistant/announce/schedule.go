package announce

import "time"

// schedule has the times at which something is to be published. A zero time is never.
type schedule struct {
	ring chan struct{} // rung when a time may have changed

	due     time.Time // what is dirty is looked at
	birth   time.Time // Home Assistant is told everything again
	orphans time.Time // cameras that have not come are forgotten

	flushed time.Time // something was last published
}

// longest is how long nothing is to be done at most.
const longest = time.Hour

// soonAfter has what is dirty looked at after a time, unless that is to be earlier.
func (s *schedule) soonAfter(wait time.Duration) {
	if at := time.Now().Add(wait); s.due.IsZero() || at.Before(s.due) {
		s.due = at
	}
	s.wake()
}

// wake has the times looked at again.
func (s *schedule) wake() {
	select {
	case s.ring <- struct{}{}:
	default:
	}
}

// wait returns how long nothing is to be done.
func (s *schedule) wait(now time.Time) time.Duration {
	wait := longest
	for _, at := range []time.Time{s.due, s.birth, s.orphans} {
		if !at.IsZero() {
			wait = min(wait, s.spaced(at).Sub(now))
		}
	}
	return wait
}

// ripe reports whether a time has come.
func (s *schedule) ripe(at, now time.Time) bool { return !at.IsZero() && !now.Before(s.spaced(at)) }

// spaced moves a time so that no two messages of one device come within settle.
func (s *schedule) spaced(at time.Time) time.Time {
	if least := s.flushed.Add(settle); at.Before(least) {
		return least
	}
	return at
}
