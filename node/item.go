package node

import (
	"slices"

	"camqtt/internal/wire"
)

// item is a group of messages that belong together and go out in order.
type item struct {
	msgs []wire.Message
	// state marks what the next greeting repeats anyway: it is dropped when the
	// connection is down, and a newer one of the same topic replaces it.
	state bool
	// shot is set when the group is a deliberate picture with its results, kept
	// until the broker has acknowledged the last of them.
	shot *shot
	// picture marks a state that is a picture: the last preview of a stream.
	picture bool
	// barrier makes it wait for a live picture that is on its way.
	barrier bool
	// greeting marks what must be the first thing on a connection.
	greeting bool
	// done, if set, is closed when the item has been sent or dropped.
	done chan struct{}
}

// private returns what is left of an item while no picture may leave: who asked
// for it is refused. ok is false when nothing is.
func (it item) private() (_ item, ok bool) {
	if it.picture {
		return it, false
	}
	if it.shot == nil || it.shot.jpeg == nil {
		return it, true
	}
	return it.refused(wire.Privacy, "privacy was switched on")
}

// refused is an item without its picture: who asked for it gets code and text. ok is
// false when nobody has.
func (it item) refused(code wire.Code, text string) (_ item, ok bool) {
	s := shot{results: slices.Clone(it.shot.results), late: it.shot.late}
	for i := range s.results {
		r := &s.results[i]
		*r = wire.Result{Cmd: r.Cmd, ID: r.ID, Code: code, Text: text, TS: r.TS, TookMS: r.TookMS}
	}
	it.shot = &s
	return it, len(s.results) > 0
}

// asked reports whether the item has a picture that was asked for or scheduled.
func (it item) asked() bool { return it.shot != nil && it.shot.jpeg != nil }

// size is that of the item's picture in bytes, 0 without one.
func (it item) size() int {
	switch {
	case it.shot != nil:
		return len(it.shot.jpeg)
	case it.picture:
		return it.msgs[0].Size()
	}
	return 0
}

// pictured reports whether a picture is among the messages.
func (it item) pictured() bool {
	if it.shot != nil {
		return it.shot.jpeg != nil
	}
	return it.picture
}

// waits reports whether a live picture that is on its way must have left before.
func (it item) waits() bool { return it.barrier || it.pictured() }

func (it item) finish() {
	if it.done != nil {
		close(it.done)
	}
}
