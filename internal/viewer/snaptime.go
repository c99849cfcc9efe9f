package viewer

import (
	"time"
)

const (
	// longestSnapTime bounds what a camera can say that it needs.
	longestSnapTime = 6 * time.Minute
	// transferTime is what a result and its picture may take on their way.
	transferTime = 2 * time.Second
)

// SnapTime returns how long a request for a picture waits: d, or longer for a camera
// that says that it needs more time.
func (c Camera) SnapTime(d time.Duration) time.Duration {
	if most := time.Duration(c.Info.SnapTimeout * float64(time.Second)); most > 0 {
		return max(d, min(most, longestSnapTime)+transferTime)
	}
	return d
}
