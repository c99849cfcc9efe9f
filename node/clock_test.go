package node_test

import (
	"fmt"
	"testing"
	"time"

	"camqtt/internal/wire"
)

// TestClockDiffers compares the clock with the time in commands, also of those that are too
// old to be carried out.
func TestClockDiffers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, nil)
		defer b.end()
		hello := func(ahead time.Duration) string {
			ts, _ := wire.At(time.Now().Add(ahead)).MarshalJSON()
			b.say("porch/cmd", fmt.Sprintf(`{"cmd":"hello","ts":%s}`, ts))
			b.pass(2 * time.Second)
			return state(t, b.broker.take()).Warning
		}
		for _, c := range []struct {
			ahead time.Duration // of the sender's clock
			want  string
		}{
			{0, ""},
			{time.Hour, "this machine's clock is 1h0m0s behind that of the dashboard"},
			{3 * time.Second, ""},
			{-26 * time.Hour, "this machine's clock is 26h0m0s ahead of that of the dashboard, or commands arrive late"},
			{-2 * time.Minute, "this machine's clock is 2m0s ahead of that of the dashboard, or commands arrive late"},
			{-20 * time.Second, ""},
		} {
			if got := hello(c.ahead); got != c.want {
				t.Errorf("a hello sent %s ahead: warning %q, want %q", c.ahead, got, c.want)
			}
		}
	})
}
