package camera

import (
	"context"
	"math"
	"time"
)

// Interval is the time between pictures; fps is above 0.
func Interval(fps float64) time.Duration {
	// One picture a day is the slowest: what is slower would overflow in the end.
	return time.Duration(math.Min(float64(time.Second)/fps, float64(24*time.Hour)))
}

// Every calls tick at start, start+every, start+2*every and so on until ctx is
// done or tick returns an error, which it returns. Points of the grid that pass
// while tick is busy are left out, never made up for.
func Every(ctx context.Context, every time.Duration, tick func() error) error {
	start := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		if ctx.Err() != nil {
			return nil
		}
		if err := tick(); err != nil {
			return err
		}
		passed := time.Since(start)
		timer.Reset((passed/every+1)*every - passed)
	}
}

// Sleep waits; it reports false when ctx is done first.
func Sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
