package node_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"camqtt/internal/testkit"
	"camqtt/internal/wire"
	"camqtt/node"
	"camqtt/node/camera"
)

func events(t *testing.T, all []sent) []string {
	t.Helper()
	var got []string
	for _, m := range of(all, wire.KindEvent) {
		var e wire.Event
		if err := json.Unmarshal(m.Payload, &e); err != nil {
			t.Fatal(err)
		}
		got = append(got, e.Type)
	}
	return got
}

// TestLeaseLife follows a lease: pictures flow, it runs out, the camera
// lingers, then it is closed.
func TestLeaseLife(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, nil)
		b.say("porch/cmd", "start viewer=w for=30s")
		b.pass(20 * time.Second)
		got := b.broker.take()
		if n := len(of(got, wire.KindFrame)); n < 195 || n > 201 {
			t.Errorf("%d frames in 20 s of 10 fps", n)
		}
		if r := results(t, got); len(r) != 1 || !r[0].OK {
			t.Errorf("results %+v", r)
		}
		if s := state(t, got); !s.Streaming || s.Viewers != 1 || s.FPS != 10 || s.Width != 64 || !s.Warm || s.LastFrame == nil {
			t.Errorf("state %+v", s)
		}
		b.pass(9 * time.Second)
		b.say("porch/cmd", "start viewer=w for=30s") // renewed just in time
		b.pass(29 * time.Second)
		if n := len(of(b.broker.take(), wire.KindFrame)); n < 375 {
			t.Errorf("%d frames in the 38 s after; the renewed lease must last", n)
		}
		b.pass(2 * time.Second)
		got = b.broker.take()
		if want := []string{"stream_stopped"}; !slices.Equal(events(t, got), want) {
			t.Errorf("events %v, want %v", events(t, got), want)
		}
		if s := state(t, got); s.Streaming || s.Viewers != 0 || s.FPS != 0 || !s.Warm {
			t.Errorf("state %+v, want idle and warm", s)
		}
		if b.camera.Open.Load() != 1 {
			t.Error("the camera does not linger")
		}
		b.pass(10 * time.Second)
		got = b.broker.take()
		if b.camera.Open.Load() != 0 || b.camera.Opens.Load() != 1 {
			t.Errorf("after keep_warm: %d open, %d opens", b.camera.Open.Load(), b.camera.Opens.Load())
		}
		if n := len(of(got, wire.KindFrame)); n != 0 {
			t.Errorf("%d frames without a lease", n)
		}
		b.end()
	})
}

func TestLeasesAddUp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, func(_ *node.Options, c *testkit.Camera) {
			c.Prof.Caps = []string{camera.CapSize, camera.CapFPS, camera.CapQuality}
		})
		b.say("porch/cmd", "start viewer=a fps=2 size=320x240 quality=50 for=1h")
		b.say("porch/cmd", "start viewer=b fps=5 size=640x480 quality=40 for=1m")
		b.say("porch/cmd", "start viewer=c fps=50 size=160x120 quality=30 for=1m")
		b.pass(5 * time.Second)
		modes := b.camera.Modes()
		if want := (camera.Mode{Width: 640, Height: 480, FPS: 10, Quality: 50}); modes[len(modes)-1] != want {
			t.Errorf("mode %+v, want the most of all leases within the configuration %+v", modes[len(modes)-1], want)
		}
		b.say("porch/cmd", "stop viewer=b")
		b.say("porch/cmd", "stop viewer=c")
		b.pass(2 * time.Second)
		b.broker.take()
		b.pass(10 * time.Second)
		if n := len(of(b.broker.take(), wire.KindFrame)); n < 19 || n > 21 {
			t.Errorf("%d frames in 10 s for a lease of 2 fps", n)
		}
		b.end()
	})
}

func TestManualLease(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, func(o *node.Options, _ *testkit.Camera) { o.Settings = settings(t, "max_stream=1m", "keep_warm=0s") })
		b.say("porch/cmd", "start")
		b.pass(59 * time.Second)
		if b.camera.Open.Load() != 1 {
			t.Error("the manual lease did not last for max_stream")
		}
		b.pass(2 * time.Second)
		if b.camera.Open.Load() != 0 {
			t.Error("the manual lease outlived max_stream, or the camera keep_warm 0")
		}
		b.say("porch/cmd", "start viewer=greedy for=5h")
		b.pass(500 * time.Millisecond)
		if r := results(t, b.broker.take()); len(r) != 2 || r[1].Text != "for is cut to 1m0s (max_stream)" {
			t.Errorf("results %+v", r)
		}
		b.say("porch/cmd", "start")
		b.say("porch/cmd", "stop") // a bare stop ends all
		b.pass(100 * time.Millisecond)
		if b.camera.Open.Load() != 0 {
			t.Error("stop did not end every lease")
		}
		b.end()
	})
}

func TestInstantSourceDoesNotLinger(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, func(_ *node.Options, c *testkit.Camera) { c.Prof.Instant = true })
		b.say("porch/cmd", "snap")
		b.pass(time.Second)
		if r := results(t, b.broker.take()); len(r) != 1 || !r[0].OK || b.camera.Open.Load() != 0 {
			t.Errorf("results %+v, %d open", r, b.camera.Open.Load())
		}
		b.end()
	})
}

func TestPreview(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, nil)
		b.say("porch/cmd", "start viewer=w for=1m")
		b.pass(10 * time.Second)
		previews := of(b.broker.take(), wire.KindPreview)
		if n := len(previews); n < 9 || n > 11 {
			t.Errorf("%d previews in 10 s, want one a second", n)
		}
		for _, p := range previews {
			if p.Retained {
				t.Fatal("a preview of a running stream is retained")
			}
		}
		b.say("porch/cmd", "stop viewer=w")
		b.pass(time.Second)
		last := of(b.broker.take(), wire.KindPreview)
		if len(last) != 1 || !last[0].Retained {
			t.Errorf("%d previews at the end, want one retained", len(last))
		}
		b.say("porch/set/retain_pictures", "off")
		b.say("porch/cmd", "snap")
		b.pass(time.Second)
		for _, m := range b.broker.take() {
			if m.QoS == 0 && m.Retained {
				t.Errorf("%s is retained although retain_pictures is off", m.Topic)
			}
		}
		b.end()
	})
}

func TestStateAtMostOnceASecond(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, nil)
		b.pass(5 * time.Second)
		b.broker.take()
		for range 50 {
			b.say("porch/cmd", "start")
			b.pass(20 * time.Millisecond)
			b.say("porch/cmd", "stop")
			b.pass(20 * time.Millisecond)
		}
		b.pass(3 * time.Second)
		states := of(b.broker.take(), wire.KindState)
		for i := 1; i < len(states); i++ {
			if gap := states[i].at.Sub(states[i-1].at); gap < time.Second {
				t.Errorf("two states within %s", gap)
			}
		}
		if n := len(states); n < 2 || n > 6 {
			t.Errorf("%d states in 5 s of changes", n)
		}
		if s := state(t, states); s.Streaming {
			t.Errorf("the last state is %+v, want the final one", s)
		}
		b.end()
	})
}

// TestNewestFirst has a connection on which a picture takes a second, under a
// camera of ten a second.
func TestNewestFirst(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, func(o *node.Options, _ *testkit.Camera) { o.Settings = settings(t, "preview_every=1h") })
		b.broker.set(func(x *broker) { x.slow = time.Second })
		b.say("porch/cmd", "start viewer=w for=1h")
		b.pass(15 * time.Second)
		b.say("porch/cmd", "stop") // the last preview must wait for its turn, too
		b.say("porch/cmd", "start viewer=w for=1h")
		b.pass(15 * time.Second)
		frames := of(b.broker.take(), wire.KindFrame)
		if n := len(frames); n < 22 || n > 30 {
			t.Errorf("%d frames in 30 s at one a second", n)
		}
		if b.broker.peak != 1 {
			t.Errorf("%d pictures were on their way at once", b.broker.peak)
		}
		b.end()
	})
}

func TestNothingIsSentWhileDown(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, nil)
		b.say("porch/cmd", "start viewer=w for=1h")
		b.pass(5 * time.Second)
		b.cut()
		b.broker.take()
		b.pass(10 * time.Second)
		b.connect()
		got := b.broker.take()
		if len(got) < 3 || got[0].Topic != "cam/porch/status" {
			t.Fatalf("on reconnect %v, want status first", kinds(got))
		}
		b.pass(time.Second)
		if n := len(of(b.broker.take(), wire.KindFrame)); n < 9 || n > 12 {
			t.Errorf("%d frames in the second after a break; old ones must be gone, new ones must flow", n)
		}
		b.end()
	})
}

func TestStats(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, nil)
		b.say("porch/cmd", "start viewer=w for=1h")
		b.pass(61 * time.Second)
		stats := of(b.broker.take(), wire.KindStats)
		if len(stats) != 2 {
			t.Fatalf("%d stats in a minute", len(stats))
		}
		var s wire.Stats
		if err := json.Unmarshal(stats[1].Payload, &s); err != nil {
			t.Fatal(err)
		}
		if s.Every != 30 || s.Uptime != 60 || s.FPS < 9.5 || s.FPS > 10.5 || s.Sent < 590 || s.Commands != 1 || s.BytesPerSecond == 0 {
			t.Errorf("stats %+v", s)
		}
		b.end()
	})
}
