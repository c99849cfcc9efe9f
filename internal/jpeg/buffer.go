package jpeg

import "sync/atomic"

// maxSpare is how many pictures' memory waits at most to be used again: a picture is on
// its way to the broker while the next one waits and another comes.
const maxSpare = 3

// Buffer is the memory that a picture of a Splitter lies in. A receiver that has no more
// use for the picture can have it used again, for a later one.
type Buffer struct {
	bytes    []byte
	spare    chan<- []byte
	released atomic.Bool
}

// Release ends the use of the picture: its bytes change from now on. A picture that is
// never released is left to the garbage collector. Further calls do nothing, and nil has
// nothing to release. It is safe for use by several goroutines.
func (b *Buffer) Release() {
	if b == nil || b.released.Swap(true) {
		return
	}
	select {
	case b.spare <- b.bytes:
	default:
	}
}

// handOut passes over the next n bytes, a picture, and returns them. Where they are most
// of what the Splitter reads into they are not copied: it goes on reading elsewhere.
func (s *Splitter) handOut(n int) []byte {
	var spare []byte
	select {
	case spare = <-s.spare:
	default:
	}
	whole, end := s.buf, s.lo+n
	pic := whole[s.lo:end:end]
	if 2*n < len(whole) {
		pic = append(spare[:0], pic...)
		s.lo = end
		s.handed = pic[:cap(pic)]
		return pic[:n:n]
	}
	if len(spare) < len(whole) {
		spare = make([]byte, len(whole))
	}
	s.buf, s.base = spare, s.base+int64(end)
	s.lo, s.hi = 0, copy(spare, whole[end:s.hi])
	s.handed = whole
	return pic
}
