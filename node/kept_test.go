package node_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"camqtt/internal/testkit"
	"camqtt/internal/wire"
	"camqtt/node"
	"camqtt/node/camera"
)

// settable is a camera that obeys everything.
func settable(o *node.Options, c *testkit.Camera) {
	c.Prof.Caps = []string{camera.CapSize, camera.CapFPS, camera.CapQuality}
	o.FPS, o.Name = 10, "Porch"
}

// Settings made over MQTT are in force after a restart, and people are told; what the
// configuration or this start says anew wins.
func TestSettingsSurviveRestart(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*node.Options)
		fps    float64
		kept   string
	}{
		"same configuration": {func(*node.Options) {}, 5, "fps=5 quality=70 name=Front door"},
		"another rate":       {func(o *node.Options) { o.FPS = 12 }, 12, "quality=70 name=Front door"},
		"a flag":             {func(o *node.Options) { o.Given = []wire.Setting{wire.SetFPS} }, 10, "quality=70 name=Front door"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				d := &disk{}
				b := kept(t, d, settable)
				b.say("porch/set", `{"fps":5,"quality":70,"name":"Front door"}`)
				b.pass(time.Second)
				b.end()
				b = kept(t, d, func(o *node.Options, cam *testkit.Camera) {
					settable(o, cam)
					c.change(o)
				})
				defer b.end()
				if s := state(t, b.broker.take()); !strings.Contains(s.Warning, ": "+c.kept+" (") || s.Quality != 70 {
					t.Errorf("state %+v, want a warning that lists %q", s, c.kept)
				}
				b.say("porch/cmd", "start viewer=v")
				b.pass(2 * time.Second)
				if s := state(t, b.broker.take()); s.FPS != c.fps {
					t.Errorf("%g pictures per second, want %g", s.FPS, c.fps)
				}
			})
		})
	}
}

func TestReset(t *testing.T) {
	bubble(t, func(t *testing.T) {
		d := &disk{}
		b := kept(t, d, settable)
		b.say("porch/set", `{"fps":5,"privacy":true}`)
		b.pass(time.Second)
		b.broker.take()
		b.say("porch/set/reset", "all")
		b.pass(2 * time.Second)
		all := b.broker.take()
		if r := sets(t, all); len(r) != 1 || !r[0].OK {
			t.Errorf("results %+v", r)
		}
		if s := state(t, all); !s.Privacy || s.Warning != "" {
			t.Errorf("after reset=all %+v, want private and no warning", s)
		}
		b.say("porch/set/reset", "fps")
		if r := sets(t, b.broker.take()); len(r) != 1 || r[0].Code != wire.BadArgument {
			t.Errorf("reset=fps: %+v", r)
		}
		b.end()
		b = kept(t, d, settable)
		defer b.end()
		if s := state(t, b.broker.take()); !s.Privacy || strings.Contains(s.Warning, "fps") {
			t.Errorf("after a restart %+v", s)
		}
	})
}

// What cannot be kept is in force all the same, and people are told.
func TestSettingsOnFullDisk(t *testing.T) {
	bubble(t, func(t *testing.T) {
		d := &disk{full: errors.New("the disk is full")}
		b := kept(t, d, settable)
		defer b.end()
		b.say("porch/set/fps", "5")
		b.pass(time.Minute)
		b.say("porch/cmd", "start viewer=v")
		b.pass(2 * time.Second)
		if s := state(t, b.broker.take()); s.FPS != 5 || !strings.Contains(s.Warning, "the disk is full") {
			t.Errorf("state %+v", s)
		}
	})
}

// What state says of the newest picture is there again after a restart, and costs the
// disk one write in ten minutes.
func TestLastPictureSurvivesRestart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		d := &disk{}
		b := kept(t, d, func(o *node.Options, c *testkit.Camera) {
			settable(o, c)
			o.Settings = settings(t, "max_stream=0s")
		})
		b.say("porch/cmd", "start viewer=v for=30m quality=60")
		b.pass(25 * time.Minute)
		if d.saves < 2 || d.saves > 4 {
			t.Errorf("%d writes in 25 minutes of live pictures, want one in ten", d.saves)
		}
		b.end()
		last := time.Now()
		b = kept(t, d, settable)
		defer b.end()
		s := state(t, b.broker.take())
		if s.LastFrame == nil || last.Sub(s.LastFrame.Time) > time.Second || s.Width != 64 || s.Height != 48 || s.Quality != 60 {
			t.Errorf("state %+v, want the newest picture of before", s)
		}
	})
}

// Damaged or foreign content is no reason not to start.
func TestDamagedSettings(t *testing.T) {
	for _, text := range []string{"{", `{"settings":{"fps":{"value":"x","configured":"10"},"nonsense":{"value":"1","configured":""}}}`, "\x00"} {
		bubble(t, func(t *testing.T) {
			b := kept(t, &disk{memory: []byte(text)}, settable)
			defer b.end()
			if s := state(t, b.broker.take()); s.Error != nil || s.Warning != "" {
				t.Errorf("%q: state %+v", text, s)
			}
		})
	}
}
