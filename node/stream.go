package node

import (
	"time"

	"camqtt/internal/wire"
)

// stream publishes the events of a live stream's begin and end.
type stream struct {
	leases    *leases
	responder *responder
	ended     func() // before the event
	changed   func()
	live      bool // stream_started has been published
}

func (*stream) next() time.Time { return time.Time{} }

func (s *stream) run(now time.Time) {
	if live := s.leases.any(); live != s.live {
		s.live = live
		s.changed()
		kind := wire.EventStreamStarted
		if !live {
			kind = wire.EventStreamStopped
			s.ended()
		}
		s.responder.event(wire.Event{Type: kind, TS: wire.At(now)})
	}
}
