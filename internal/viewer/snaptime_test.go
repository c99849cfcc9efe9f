package viewer

import (
	"testing"
	"time"

	"camqtt/internal/wire"
)

// A request waits as long as the camera says that it needs, within bounds.
func TestSnapTime(t *testing.T) {
	for said, want := range map[float64]time.Duration{
		0:   25 * time.Second,
		5:   25 * time.Second,
		125: 127 * time.Second,
		1e9: 362 * time.Second,
		-1:  25 * time.Second,
	} {
		c := Camera{Info: wire.Info{SnapTimeout: said}}
		if got := c.SnapTime(25 * time.Second); got != want {
			t.Errorf("a camera that says %v: %v, want %v", said, got, want)
		}
	}
}
