package memlimit_test

import (
	"math"
	"runtime"
	"runtime/debug"
	"testing"

	"camqtt/internal/memlimit"
	"camqtt/internal/testkit"
)

// TestLimit holds Go within the memory there is; the environment has the last word.
func TestLimit(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(before)
	n := memlimit.Available()
	if runtime.GOOS == "linux" && n < 16<<20 {
		t.Fatalf("%d bytes of memory", n)
	}
	t.Setenv("GOMEMLIMIT", "123MiB")
	memlimit.Limit(testkit.Log(t))
	if got := debug.SetMemoryLimit(-1); got != before {
		t.Errorf("limit %d in spite of GOMEMLIMIT", got)
	}
	t.Setenv("GOMEMLIMIT", "")
	memlimit.Limit(testkit.Log(t))
	if got := debug.SetMemoryLimit(-1); got > n || got == math.MaxInt64 || got < n/2 {
		t.Errorf("limit %d of %d bytes", got, n)
	}
}
