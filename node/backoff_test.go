package node_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"camqtt/internal/testkit"
	"camqtt/internal/wire"
	"camqtt/node"
	"camqtt/node/camera"
)

// diary is a camera that notes when it was opened and does each time what the
// test has written down: deliver for so long, then fail. The last entry holds
// for ever.
type diary struct {
	*testkit.Camera
	opens []time.Time
	plan  []page
}

type page struct {
	good time.Duration
	err  error // nil: it hangs
}

func (d *diary) Stream(ctx context.Context, m camera.Mode, emit func(camera.Frame)) error {
	p := d.plan[min(len(d.opens), len(d.plan)-1)]
	d.opens = append(d.opens, time.Now())
	limit, cancel := context.WithTimeout(ctx, p.good)
	defer cancel()
	if p.good > 0 {
		if err := d.Camera.Stream(limit, m, emit); err != nil {
			return err
		}
	}
	if p.err == nil {
		<-ctx.Done()
	}
	return p.err
}

// waits are the pauses before each opening but the first, in seconds, without the
// time for which the camera was good.
func (d *diary) waits() (all []float64) {
	for i := 1; i < len(d.opens); i++ {
		good := d.plan[min(i-1, len(d.plan)-1)].good
		all = append(all, (d.opens[i].Sub(d.opens[i-1]) - good).Seconds())
	}
	return all
}

// watch lets somebody watch a camera for a time and returns the pauses between
// attempts to open it.
func watch(t *testing.T, d *diary, prof camera.Profile, length time.Duration) []float64 {
	t.Helper()
	var got []float64
	bubble(t, func(t *testing.T) {
		b := start(t, func(o *node.Options, c *testkit.Camera) {
			c.Prof, o.Settings = prof, settings(t, "max_stream=0s")
			d.Camera, o.Source = c, d
		})
		b.say("porch/cmd", "start")
		b.pass(length)
		b.end()
		got = d.waits()
	})
	return got
}

func fault(code camera.Code) error { return &camera.Error{Code: code, Text: "no"} }

func TestBackOffTimes(t *testing.T) {
	gone := page{0, fault(camera.NoCamera)}
	denied := page{0, &camera.Error{Code: camera.Config, Text: "no", Denied: true}}
	for name, c := range map[string]struct {
		plan []page
		poll time.Duration
		want []float64 // seconds, give or take a fifth
	}{
		"gone: doubles to a minute":       {[]page{gone}, 0, []float64{1, 2, 4, 8, 16, 32, 60, 60, 60}},
		"gone: a device is looked for":    {[]page{gone}, 2 * time.Second, []float64{2, 2, 2, 2, 2, 2}},
		"busy":                            {[]page{{0, fault(camera.CameraBusy)}}, 0, []float64{5, 5, 5, 5}},
		"configuration":                   {[]page{{0, fault(camera.Config)}}, 2 * time.Second, []float64{60, 60, 60}},
		"stalled":                         {[]page{{0, fault(camera.Stalled)}}, 2 * time.Second, []float64{1, 2, 4, 8}},
		"good for a minute: begins anew":  {[]page{gone, gone, gone, {90 * time.Second, fault(camera.NoCamera)}, gone}, 0, []float64{1, 2, 4, 1, 1.8}},
		"good once: soon, from then on":   {[]page{gone, gone, gone, {time.Second, fault(camera.NoCamera)}, gone}, 0, []float64{1, 2, 4, 1.8, 1.8, 1.8, 1.8, 1.8, 1.8, 1.8}},
		"good once: busy":                 {[]page{{time.Second, fault(camera.CameraBusy)}, {0, fault(camera.CameraBusy)}}, 0, []float64{1, 1.8, 1.8, 1.8, 1.8}},
		"good once: configuration":        {[]page{{time.Second, fault(camera.Config)}, {0, fault(camera.Config)}}, 0, []float64{1, 1.8, 1.8, 1.8, 1.8}},
		"good once: stalled":              {[]page{{time.Second, fault(camera.Stalled)}, {0, fault(camera.Stalled)}}, 0, []float64{1, 1.8, 1.8, 1.8, 1.8}},
		"user refused":                    {[]page{denied}, 0, []float64{1, 2, 4, 8, 16, 32, 60, 60}},
		"good once: user refused":         {[]page{{90 * time.Second, fault(camera.NoCamera)}, denied}, 0, []float64{1, 1, 2, 4, 8, 16, 32, 60, 60}},
		"user refused, then let in":       {[]page{denied, denied, {time.Second, fault(camera.NoCamera)}, denied}, 0, []float64{1, 2, 1.8, 1, 2, 4}},
		"busy does not count as a step":   {[]page{gone, {0, fault(camera.CameraBusy)}, {0, fault(camera.Config)}, gone}, 0, []float64{1, 5, 60, 2, 4}},
		"hangs after a good time":         {[]page{gone, gone, gone, {90 * time.Second, nil}, gone}, 0, []float64{1, 2, 4, 3 + 1, 1.8}},
		"a slow camera is not good yet":   {[]page{gone, gone, {0, fault(camera.Stalled)}, gone}, 0, []float64{1, 2, 4, 8}},
		"plugged in again while watching": {[]page{gone, gone, {time.Hour, nil}}, 2 * time.Second, []float64{2, 2}},
	} {
		t.Run(name, func(t *testing.T) {
			got := watch(t, &diary{plan: c.plan}, camera.Profile{Poll: c.poll}, 8*time.Minute)
			if len(got) < len(c.want) {
				t.Fatalf("waits %.1f, want %v", got, c.want)
			}
			for i, want := range c.want {
				if got[i] < 0.79*want || got[i] > 1.21*want+0.11 {
					t.Errorf("wait %d is %.2f s, want %v give or take a fifth; all %.1f", i, got[i], want, got)
				}
			}
			if len(c.want) > 3 && len(slices.Compact(slices.Clone(got))) == 1 {
				t.Errorf("all waits are %.3f: many cameras would retry in step", got[0])
			}
		})
	}
}

// A lone snap of a camera that takes pictures one by one takes one picture; while
// the camera is kept warm nothing more is taken, and nothing is missed either.
func TestPromptedSnap(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, func(o *node.Options, c *testkit.Camera) {
			c.Prof = camera.Profile{Prompted: true, Caps: []string{camera.CapFPS}, MaxFPS: 1}
			o.Settings = settings(t, "keep_warm=10m")
		})
		b.say("porch/cmd", "snap")
		b.pass(5 * time.Minute)
		if r := results(t, b.broker.take()); len(r) != 1 || !r[0].OK {
			t.Fatalf("results %+v", r)
		}
		b.say("porch/cmd", "snap")
		b.pass(9 * time.Minute)
		got := b.broker.take()
		if r := results(t, got); len(r) != 1 || !r[0].OK {
			t.Errorf("results %+v", r)
		}
		if taken, opens := b.camera.Taken.Load(), b.camera.Opens.Load(); taken != 2 || opens != 1 {
			t.Errorf("two snaps took %d pictures in %d openings, want 2 in 1", taken, opens)
		}
		if e := events(t, got); slices.Contains(e, "error") {
			t.Errorf("events %v", e)
		}
		b.pass(2 * time.Minute)
		if b.camera.Open.Load() != 0 {
			t.Error("the camera is open after keep_warm")
		}
		b.end()
	})
}

// Live, it takes pictures at the rate that it can.
func TestPromptedStream(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, func(o *node.Options, c *testkit.Camera) {
			c.Prof = camera.Profile{Prompted: true, Caps: []string{camera.CapFPS}, MaxFPS: 1}
			c.Every = time.Second
		})
		b.say("porch/cmd", "start viewer=w for=1h")
		b.pass(10500 * time.Millisecond)
		if n := len(of(b.broker.take(), wire.KindFrame)); n < 10 || n > 11 {
			t.Errorf("%d pictures in 10 s, want one a second", n)
		}
		if m := b.camera.Modes(); len(m) != 1 || m[0].FPS != 1 {
			t.Errorf("opened with %+v", m)
		}
		b.end()
	})
}

// A picture that got lost on the way is asked for again; a camera that takes none
// at all is stalled.
func TestPromptedLost(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, func(_ *node.Options, c *testkit.Camera) {
			c.Prof = camera.Profile{Prompted: true, Caps: []string{camera.CapFPS}}
		})
		b.camera.Hang(true)
		b.say("porch/cmd", "snap")
		b.pass(time.Second)
		b.camera.Hang(false)
		b.pass(5 * time.Second)
		if r := results(t, b.broker.take()); len(r) != 1 || !r[0].OK {
			t.Errorf("results %+v, want a picture at the second try", r)
		}
		b.camera.Hang(true)
		b.say("porch/cmd", "snap")
		b.pass(30 * time.Second)
		if r := results(t, b.broker.take()); len(r) != 1 || r[0].Code != wire.Stalled {
			t.Errorf("results %+v, want stalled", r)
		}
		b.end()
	})
}

// A camera has stalled when no picture comes for five of its intervals, three
// seconds at least, and at the beginning for as long as it may take to begin.
func TestStallTimes(t *testing.T) {
	for name, c := range map[string]struct {
		every, warm time.Duration
		first       time.Duration // Profile.FirstFrame
		want        time.Duration // until it is called stalled
	}{
		"fast":              {every: 100 * time.Millisecond, want: 3 * time.Second},
		"one in 2 s":        {every: 2 * time.Second, want: 10 * time.Second},
		"never began":       {warm: time.Hour, want: 15 * time.Second},
		"never began, slow": {warm: time.Hour, first: 30 * time.Second, want: 30 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := start(t, func(o *node.Options, k *testkit.Camera) {
					k.Every, k.Warmup, k.Prof.FirstFrame, o.Settings = c.every, c.warm, c.first, settings(t, "max_stream=0s")
				})
				b.say("porch/cmd", "start")
				begun := time.Now()
				if c.every > 0 {
					b.pass(20*time.Second + c.every/2)
					b.camera.Hang(true)
					begun = begun.Add(20 * time.Second) // the last picture
				}
				b.broker.take()
				b.pass(time.Minute)
				if all := of(b.broker.take(), wire.KindEvent); len(all) == 0 {
					t.Error("not stalled")
				} else if took := all[0].at.Sub(begun); took < c.want || took > c.want+100*time.Millisecond {
					t.Errorf("stalled after %v, want %v", took, c.want)
				}
				b.end()
			})
		})
	}
}
