package node

import (
	"time"

	"camqtt/internal/wire"
)

// snapshotMessage is a picture that was asked for with everything that is published about
// it, or, without a picture, only the results of commands and an event.
type snapshotMessage struct {
	jpeg    []byte
	still   bool // the picture goes out on preview only
	meta    wire.Meta
	event   *wire.Event
	results []wire.Result
	retain  bool // preview and snapshot are retained
	// accepted, unless nil, is called once: when the broker has acknowledged the picture,
	// or the connection has ended and the picture is kept for the next.
	accepted func()
	late     bool // a connection has ended since: say so, and leave frame to newer pictures
}

// messages returns what to publish, in the order of topics.md: the picture as a
// frame and preview, its description, the picture as a snapshot, then what the
// broker must acknowledge.
func (s *snapshotMessage) messages(t topics) []wire.Message {
	var msgs []wire.Message
	switch {
	case s.jpeg == nil:
	case s.still:
		preview := t.message(wire.KindPreview, s.jpeg)
		preview.Retained = s.retain
		msgs = append(msgs, preview)
	default:
		meta := s.meta
		meta.Late = s.late
		preview, snapshot := t.message(wire.KindPreview, s.jpeg), t.message(wire.KindSnapshot, s.jpeg)
		described := t.json(wire.KindMeta, meta)
		preview.Retained, snapshot.Retained, described.Retained = s.retain, s.retain, s.retain
		if !s.late {
			msgs = append(msgs, t.message(wire.KindFrame, s.jpeg), preview)
		}
		msgs = append(msgs, described, snapshot)
	}
	if s.event != nil {
		event := *s.event
		event.Late = s.late && s.jpeg != nil
		msgs = append(msgs, t.json(wire.KindEvent, event))
	}
	for _, r := range s.results {
		r.Late = s.late && s.jpeg != nil
		msgs = append(msgs, t.json(wire.KindResult, r))
	}
	return msgs
}

// accept tells the sender of the picture, once, that it will not get lost.
func (s *snapshotMessage) accept() {
	if s.accepted != nil {
		s.accepted()
		s.accepted = nil
	}
}

// since returns whole milliseconds since t, never negative.
func since(t, now time.Time) int64 { return max(0, now.Sub(t).Milliseconds()) }
