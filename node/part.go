package node

import "time"

// part is one job of a node that has something to do at certain times. Only the goroutine
// of Serve uses it.
type part interface {
	// next is when run has something to do; zero: not before something else happens.
	next() time.Time
	// run does what is due. It is also called earlier, after everything that happens.
	run(now time.Time)
}

// earlier is the earlier of two times, of which a zero one does not count.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// due reports whether a time has come. A zero one never does.
func due(at, now time.Time) bool { return !at.IsZero() && !now.Before(at) }
