package node

// slot is a mailbox for one value, where the newest wins: a slow reader never
// makes the writer wait and never sees an old value. Only one goroutine puts.
type slot[T any] chan T

func newSlot[T any]() slot[T] { return make(slot[T], 1) }

// put leaves v and reports whether an unread value gave way to it.
func (s slot[T]) put(v T) (replaced bool) {
	select {
	case <-s:
		replaced = true
	default:
	}
	s <- v
	return replaced
}
