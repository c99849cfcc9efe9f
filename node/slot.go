package node

import "context"

// slot is a mailbox for one value, where the newest wins: a slow reader never
// makes the writer wait and never sees an old value. Only one goroutine puts.
type slot[T any] chan T

func newSlot[T any]() slot[T] { return make(slot[T], 1) }

// gate lets one at a time through. It is a channel and no mutex, so that who
// waits at it can be called away.
type gate chan struct{}

func newGate() gate { return make(gate, 1) }

// enter waits for its turn; it reports false when ctx is done first.
func (g gate) enter(ctx context.Context) bool {
	select {
	case g <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (g gate) leave() { <-g }

// put leaves v and returns the unread value that gave way to it, if there was one.
func (s slot[T]) put(v T) (old T, replaced bool) {
	select {
	case old = <-s:
		replaced = true
	default:
	}
	s <- v
	return old, replaced
}
