package node_test

import (
	"fmt"
	"testing"
	"time"

	"camqtt/internal/wire"
)

// Who asks faster than the connection takes pictures gets an answer all the same, each
// his own, with a picture that others may share.
func TestSnapsOnASlowConnection(t *testing.T) {
	for name, command := range map[string]string{"fresh": "snap id=%d", "old": "snap id=%d max_age=1h"} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := start(t, nil)
				b.broker.set(func(x *broker) { x.slow = 900 * time.Millisecond })
				b.pass(10 * time.Second)
				b.broker.take()
				const asked = 60
				for n := range asked {
					b.say("porch/cmd", fmt.Sprintf(command, n))
					b.pass(100 * time.Millisecond)
				}
				b.pass(time.Minute)
				got := b.broker.take()
				answered := map[string]bool{}
				for _, r := range results(t, got) {
					if !r.OK || answered[r.ID] {
						t.Errorf("result %+v, a second one: %v", r, answered[r.ID])
					}
					answered[r.ID] = true
				}
				if len(answered) != asked {
					t.Errorf("%d of %d snaps have a result", len(answered), asked)
				}
				if n := len(of(got, wire.KindSnapshot)); n >= asked/2 {
					t.Errorf("%d pictures for %d snaps: nobody shared", n, asked)
				}
				b.end()
			})
		})
	}
}
