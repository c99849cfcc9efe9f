package dashboard

import "sync/atomic"

// semaphore bounds what is open at the same time. Callers that find it full are refused.
type semaphore struct {
	free, taken atomic.Int64
}

func newSemaphore(n int) *semaphore {
	s := &semaphore{}
	s.free.Store(int64(n))
	return s
}

// acquire takes a place and returns how to give it back. ok is false when there is none.
func (s *semaphore) acquire() (release func(), ok bool) {
	if s.free.Add(-1) < 0 {
		s.free.Add(1)
		return nil, false
	}
	s.taken.Add(1)
	return func() {
		s.taken.Add(-1)
		s.free.Add(1)
	}, true
}

// inUse is how many places are taken.
func (s *semaphore) inUse() float64 { return float64(s.taken.Load()) }
