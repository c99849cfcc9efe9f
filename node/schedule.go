package node

import (
	"time"

	"camqtt/internal/wire"
)

// schedule asks for the scheduled snapshots.
type schedule struct {
	settings *settings
	ask      func(now time.Time)
	every    time.Duration // for which at was set
	at       time.Time     // when the next is due; zero: never
}

// next is when the next snapshot is due.
func (s *schedule) next() time.Time { return s.at }

// run asks for a snapshot that is due. It follows a change of snap_every.
func (s *schedule) run(now time.Time) {
	late, every := due(s.at, now), s.settings.duration(wire.SetSnapEvery)
	if late || s.every != every {
		s.every, s.at = every, time.Time{}
		if s.every > 0 {
			s.at = now.Add(s.every)
		}
	}
	if late {
		s.ask(now)
	}
}
