package node_test

import (
	"testing"
	"time"

	"camqtt/internal/testkit"
	"camqtt/internal/wire"
	"camqtt/node"
)

// info says how long a request may take, where that is more than usual.
func TestInfoTellsLongTimeouts(t *testing.T) {
	for first, want := range map[time.Duration]float64{0: 0, 20 * time.Second: 0, 2 * time.Minute: 125} {
		bubble(t, func(t *testing.T) {
			var told []*wire.Info
			b := start(t, func(o *node.Options, c *testkit.Camera) {
				c.Prof.FirstFrame = first
				o.Informed = func(i *wire.Info) { told = append(told, i) }
			})
			b.pass(time.Second)
			if len(told) == 0 || told[0].SnapTimeout != want {
				t.Errorf("the first picture may take %v: %d infos, want one with %v s", first, len(told), want)
			}
			b.end()
		})
	}
}
