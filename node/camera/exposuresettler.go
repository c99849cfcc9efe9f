package camera

import (
	"math"
	"time"
)

// SettleTime is the settling time of sources that are sensors, unless told otherwise.
const SettleTime = 1500 * time.Millisecond

const (
	SettleMax    = 10 * time.Second
	settleStable = 3   // pictures in a row that must be as bright as the one before
	settleChange = 5.0 // how much of 255 the brightness of those may differ
	settleBlack  = 8.0 // of 255: what a sensor that has just woken up delivers
)

// ExposureSettler leaves out the first pictures of a stream until the camera's exposure
// has settled: three pictures in a row hardly differ in brightness from the one
// before, and are not black. A bounded time after the first, pictures are taken
// as they are; a dark room is a dark room.
type ExposureSettler struct {
	limit       time.Duration
	until       time.Time // zero before the first picture
	done        bool
	stableCount int
	last        float64
}

// NewExposureSettler returns a settler that waits for at most d; for 0 not at all.
func NewExposureSettler(d time.Duration) *ExposureSettler {
	return &ExposureSettler{limit: d, done: d <= 0, last: math.Inf(-1)}
}

// Waiting says whether pictures still have to be looked at.
func (s *ExposureSettler) Waiting() bool { return !s.done }

// Ready takes the brightness of the next picture, 0 to 255 or NaN where it is
// not known, and says whether that picture may be shown; if so, all that follow
// may too.
func (s *ExposureSettler) Ready(mean float64, now time.Time) bool {
	if s.done {
		return true
	}
	if s.until.IsZero() {
		s.until = now.Add(s.limit)
	}
	if math.Abs(mean-s.last) <= settleChange && mean > settleBlack { // false for NaN
		s.stableCount++
	} else {
		s.stableCount = 0
	}
	s.last = mean
	s.done = s.stableCount >= settleStable || !now.Before(s.until)
	return s.done
}
