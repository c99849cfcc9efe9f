package camera

import (
	"bytes"
	"image"
	stdjpeg "image/jpeg"
	"math"
	"time"

	"camqtt/internal/jpeg"
)

const (
	settleCalm   = 3   // pictures in a row that must be as bright as the one before
	settleChange = 5.0 // how much of 255 the brightness of those may differ
	settleBlack  = 8.0 // of 255: what a sensor that has just woken up delivers
)

// settler leaves out the first pictures of a stream until the camera's exposure
// has settled: three pictures in a row hardly differ in brightness and are not
// black. After a bounded time pictures are taken as they are; a dark room is a
// dark room.
type settler struct {
	until time.Time // zero once settled
	calm  int
	last  float64
}

func newSettler(d time.Duration) *settler {
	if d == 0 {
		return &settler{}
	}
	return &settler{until: time.Now().Add(d), last: math.Inf(-1)}
}

// waiting says whether pictures still have to be looked at.
func (s *settler) waiting() bool { return !s.until.IsZero() }

// ready takes the brightness of the next picture, 0 to 255, and says whether
// that picture may be shown; if so, all that follow may too.
func (s *settler) ready(mean float64, now time.Time) bool {
	if math.Abs(mean-s.last) <= settleChange && mean > settleBlack {
		s.calm++
	} else {
		s.calm = 0
	}
	s.last = mean
	if s.calm >= settleCalm || !now.Before(s.until) {
		s.until = time.Time{}
		return true
	}
	return false
}

// meanOf decodes a JPEG to see how bright it is. Only the first pictures of a
// stream are decoded, because that costs as much as everything else together.
func meanOf(b []byte, in jpeg.Info) (float64, bool) {
	if !in.HasTables {
		b = jpeg.Dress(b, in, jpeg.EXIF{})
	}
	im, err := stdjpeg.Decode(bytes.NewReader(b))
	if err != nil {
		return 0, false
	}
	switch im := im.(type) {
	case *image.YCbCr:
		return sampled(im.Y, 1), true
	case *image.Gray:
		return sampled(im.Pix, 1), true
	}
	return 0, false
}

// sampled is the mean of some thousand of the samples, which are step apart.
func sampled(pix []byte, step int) float64 {
	step *= max(1, len(pix)/step/4096) | 1 // odd, so as not to see one column only
	sum, n := 0, 0
	for i := 0; i < len(pix); i += step {
		sum += int(pix[i])
		n++
	}
	return float64(sum) / float64(max(n, 1))
}
