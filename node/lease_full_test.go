package node_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"camqtt/internal/testkit"
	"camqtt/internal/wire"
	"camqtt/node"
	"camqtt/node/camera"
)

// TestLeasesFull has one viewer take every lease under ever new names, with the least
// that can be asked for the longest time: others still see what they ask for.
func TestLeasesFull(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, func(o *node.Options, c *testkit.Camera) {
			o.FPS = 20
			c.Prof.Caps = []string{camera.CapSize, camera.CapFPS, camera.CapQuality}
		})
		names := 0
		flood := func(n int) {
			for range n {
				b.say("porch/cmd", fmt.Sprintf("start viewer=f%d fps=1 size=16x16 quality=1 for=10m", names))
				names++
			}
		}
		mode := func(want camera.Mode) {
			t.Helper()
			b.pass(time.Second) // the camera is opened anew
			if modes := b.camera.Modes(); modes[len(modes)-1] != want {
				t.Errorf("mode %+v, want %+v", modes[len(modes)-1], want)
			}
		}
		least := camera.Mode{Width: 16, Height: 16, FPS: 1, Quality: 1}
		b.say("porch/cmd", "start viewer=early fps=2 size=64x48 quality=20 for=20s") // has one before it begins
		flood(400)
		mode(camera.Mode{Width: 64, Height: 48, FPS: 2, Quality: 20})
		if n := state(t, b.broker.take()).Viewers; n > 258 {
			t.Errorf("%d leases are kept of 401", n)
		}
		b.say("porch/cmd", "start id=late viewer=late fps=5 size=320x240 quality=50 for=30s")
		b.say("porch/cmd", "start id=later viewer=later fps=10 size=160x120 quality=40 for=15s")
		mode(camera.Mode{Width: 320, Height: 240, FPS: 10, Quality: 50})
		for _, r := range results(t, b.broker.take()) {
			if !r.OK || r.ID != "" && !strings.Contains(r.Text, "256 leases are held: this one is shared") {
				t.Errorf("result %+v, want a shared lease", r)
			}
		}
		flood(400)
		b.pass(10 * time.Second)
		b.say("porch/cmd", "start viewer=early fps=2 size=64x48 quality=20 for=20s") // and keeps it
		b.say("porch/cmd", "start viewer=late fps=5 size=320x240 quality=50 for=30s")
		mode(camera.Mode{Width: 320, Height: 240, FPS: 10, Quality: 50})
		b.say("porch/cmd", "stop id=out viewer=late")
		b.pass(time.Second)
		last := results(t, b.broker.take())
		if r := last[len(last)-1]; !r.OK || r.ID != "out" || !strings.Contains(r.Text, "ends by itself") {
			t.Errorf("result %+v, want to hear that a shared lease stays", r)
		}
		b.pass(11 * time.Minute) // all have ended but who came last
		if s := state(t, b.broker.take()); s.Streaming {
			t.Errorf("state %+v after the longest that anybody asked", s)
		}
		b.say("porch/cmd", "start viewer=late fps=1 size=16x16 quality=1 for=30s")
		mode(least)
		b.end()
	})
}

// TestManualLeaseWhenFull starts by hand a camera whose leases are all taken.
func TestManualLeaseWhenFull(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, func(o *node.Options, _ *testkit.Camera) { o.Settings = settings(t, "keep_warm=0s") })
		for i := range 300 {
			b.say("porch/cmd", fmt.Sprintf("start viewer=f%d for=1m", i))
		}
		b.say("porch/cmd", "start id=by-hand")
		b.pass(2 * time.Minute)
		got := b.broker.take()
		if r := results(t, got); r[len(r)-1].ID != "by-hand" || r[len(r)-1].Text != "" {
			t.Errorf("result %+v, want no word of sharing", r[len(r)-1])
		}
		if s := state(t, got); s.Viewers != 1 || !s.Streaming {
			t.Errorf("state %+v: want the manual lease alone", s)
		}
		for i := range 300 {
			b.say("porch/cmd", fmt.Sprintf("start viewer=g%d", i))
		}
		b.say("porch/cmd", "stop")
		b.pass(time.Second)
		if s := state(t, b.broker.take()); s.Streaming || b.camera.Open.Load() != 0 {
			t.Errorf("state %+v after a stop of all leases, shared and not", s)
		}
		b.end()
	})
}

// TestSharedLeaseGivesTheMost joins wishes of which one has no bound: the camera's own
// rate, size and quality are the most.
func TestSharedLeaseGivesTheMost(t *testing.T) {
	for name, wishes := range map[string][2]string{
		"unbounded first": {"", " fps=1 size=16x16 quality=1"},
		"unbounded last":  {" fps=1 size=16x16 quality=1", ""},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := start(t, func(o *node.Options, c *testkit.Camera) {
					o.FPS, o.Quality, o.Size = 20, 90, wire.Size{Width: 640, Height: 480}
					c.Prof.Caps = []string{camera.CapSize, camera.CapFPS, camera.CapQuality}
				})
				for i := range 256 {
					b.say("porch/cmd", fmt.Sprintf("start viewer=f%d fps=1 size=16x16 quality=1 for=10m", i))
				}
				for i, wish := range wishes {
					b.say("porch/cmd", fmt.Sprintf("start viewer=h%d for=5m%s", i, wish))
				}
				b.pass(time.Minute)
				modes := b.camera.Modes()
				if want := (camera.Mode{Width: 640, Height: 480, FPS: 20, Quality: 90}); modes[len(modes)-1] != want {
					t.Errorf("mode %+v, want %+v", modes[len(modes)-1], want)
				}
				b.end()
			})
		})
	}
}
