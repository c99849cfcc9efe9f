package node

import (
	"slices"

	"camqtt/internal/wire"
)

// delivery is a group of messages that belong together and go out in order.
type delivery struct {
	msgs []wire.Message
	// state marks what the next greeting repeats anyway: it is dropped when the
	// connection is down, and a newer one of the same topic replaces it.
	state bool
	// snapshot is set when the group is a deliberate picture with its results, kept
	// until the broker has acknowledged the last of them.
	snapshot *snapshotMessage
	// picture marks a state that is a picture: the last preview of a stream.
	picture bool
	// barrier makes it wait for a live picture that is on its way.
	barrier bool
	// greeting marks what must be the first thing on a connection.
	greeting bool
	// done, if set, is closed when the group has been sent or dropped.
	done chan struct{}
}

// private returns what is left of a delivery while no picture may leave: its requests are
// refused. ok is false when nothing is left.
func (d delivery) private() (_ delivery, ok bool) {
	switch {
	case d.picture:
		return d, false
	case !d.deliberate():
		return d, true
	}
	return d.refused(wire.Privacy, "privacy was switched on")
}

// refused is a delivery without its picture: its requests get code and text. ok is false
// when it has none.
func (d delivery) refused(code wire.Code, text string) (_ delivery, ok bool) {
	s := snapshotMessage{results: slices.Clone(d.snapshot.results), late: d.snapshot.late}
	for i := range s.results {
		r := &s.results[i]
		*r = wire.Result{Cmd: r.Cmd, ID: r.ID, Code: code, Text: text, TS: r.TS, TookMS: r.TookMS}
	}
	d.snapshot = &s
	return d, len(s.results) > 0
}

// deliberate reports whether there is a picture that was asked for or scheduled.
func (d delivery) deliberate() bool { return d.snapshot != nil && d.snapshot.jpeg != nil }

// size is that of the picture in bytes, 0 without one.
func (d delivery) size() int {
	switch {
	case d.snapshot != nil:
		return len(d.snapshot.jpeg)
	case d.picture:
		return d.msgs[0].Size()
	}
	return 0
}

// waits reports whether a live picture that is on its way must have left before.
func (d delivery) waits() bool { return d.barrier || d.deliberate() || d.snapshot == nil && d.picture }

func (d delivery) finish() {
	if d.done != nil {
		close(d.done)
	}
}
