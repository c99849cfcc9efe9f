package node

import (
	"time"

	"camqtt/internal/wire"
)

// awake is how long a board that sleeps between its pictures counts as online
// after one.
const awake = time.Minute

// sleep knows whether a camera that sleeps between its pictures is awake.
type sleep struct {
	sleepy  bool // false: the camera never sleeps
	newest  *newest
	publish func() // status has changed
	asleep  bool   // status says sleeping
}

// status is what topic status says while the node runs.
func (s *sleep) status() string {
	if s.asleep {
		return wire.Sleeping
	}
	return wire.Online
}

// next is when a camera that is awake counts as asleep.
func (s *sleep) next() time.Time {
	if s.asleep || !s.sleepy {
		return time.Time{}
	}
	return s.newest.at.Add(awake)
}

// run has status say whether the camera sleeps.
func (s *sleep) run(now time.Time) {
	asleep := s.sleepy && (s.newest.at.IsZero() || !now.Before(s.newest.at.Add(awake)))
	if asleep != s.asleep {
		s.asleep = asleep
		s.publish()
	}
}
