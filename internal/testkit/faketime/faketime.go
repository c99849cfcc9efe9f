// Package faketime runs tests whose clock is simulated.
package faketime

import (
	"runtime"
	"testing"
	"testing/synctest"
)

// Run calls f in a synctest bubble, on one processor: all timers of a bubble share one
// context of the race detector, which crashes or reports races of its own when two
// threads fire timers at the same moment (Go 1.26). The test must not be parallel.
func Run(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	synctest.Test(t, f)
}
