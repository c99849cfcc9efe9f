package node_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"
	"time"

	"camqtt/internal/testkit"
	"camqtt/internal/wire"
	"camqtt/node"
	"camqtt/node/camera"
)

// The lamp is set where there is one, for a camera that is open and for the next
// time it is, and the state says so.
func TestFlash(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, nil)
		b.say("porch/set/flash", "40")
		if r := results(t, b.broker.take()); len(r) != 1 || r[0].Code != wire.Unsupported {
			t.Errorf("without a lamp: %+v", r)
		}
		b.end()
	})
	bubble(t, func(t *testing.T) {
		b := start(t, func(_ *node.Options, c *testkit.Camera) { c.Prof.Caps = []string{camera.CapFlash} })
		b.broker.take()
		b.say("porch/set/flash", "40")
		b.say("porch/cmd", "start viewer=a for=1h")
		b.pass(2 * time.Second)
		got := b.broker.take()
		if s := state(t, got); s.Flash == nil || *s.Flash != 40 {
			t.Errorf("state %+v, want flash 40", s)
		}
		b.say("porch/set", `{"flash":"off"}`)
		b.pass(2 * time.Second)
		if s := state(t, b.broker.take()); s.Flash == nil || *s.Flash != 0 {
			t.Errorf("state %+v, want flash 0", s)
		}
		if want := []camera.Mode{{Flash: 40}, {Flash: camera.FlashOff}}; !slices.Equal(b.camera.Modes(), want) {
			t.Errorf("modes %+v, want %+v", b.camera.Modes(), want)
		}
		for _, bad := range []string{"101", "-1", "bright", ""} {
			b.say("porch/set/flash", bad)
			if r := results(t, b.broker.take()); bad != "" && (len(r) != 1 || r[0].Code != wire.BadArgument) {
				t.Errorf("set flash %q: %+v", bad, r)
			}
		}
		b.end()
	})
}

// A camera that tells single pictures from a stream is asked for single ones while
// nobody watches; one that streams already is not closed for a snap.
func TestStill(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, func(_ *node.Options, c *testkit.Camera) {
			c.Prof.Caps = []string{camera.CapFPS, camera.CapStill}
			c.Prof.Instant = true
		})
		b.say("porch/cmd", "snap")
		b.pass(time.Second)
		if b.camera.Open.Load() != 0 {
			t.Error("the camera is open after a snap")
		}
		b.say("porch/cmd", "start viewer=a fps=0.2 for=1h")
		b.pass(time.Second)
		b.say("porch/cmd", "snap") // in its slow stream's pace it would take 5 s
		b.pass(time.Second)
		b.say("porch/cmd", "start viewer=b fps=5 for=1h")
		b.pass(time.Second)
		b.say("porch/cmd", "snap")
		b.pass(time.Second)
		want := []camera.Mode{{FPS: 10, Still: true}, {FPS: 0.2}, {FPS: 1}, {FPS: 5}}
		if got := b.camera.Modes(); !slices.Equal(got, want) {
			t.Errorf("modes %+v, want %+v", got, want)
		}
		for _, r := range results(t, b.broker.take()) {
			if !r.OK {
				t.Errorf("result %+v", r)
			}
		}
		b.say("porch/cmd", "stop")
		b.pass(time.Second)
		if b.camera.Open.Load() != 0 {
			t.Error("the camera is open though nobody watches")
		}
		b.end()
	})
}

// What a camera turns out to be once it has answered is published, once.
func TestLearned(t *testing.T) {
	bubble(t, func(t *testing.T) {
		announced := 0
		b := start(t, func(o *node.Options, c *testkit.Camera) {
			c.Prof.Caps = []string{camera.CapFPS}
			o.Informed = func(*wire.Info) { announced++ }
			o.Labels = map[string]string{"room": "hall"}
		})
		b.say("porch/cmd", "start viewer=a for=1h")
		b.pass(2 * time.Second)
		b.broker.take()
		b.camera.Become(camera.Profile{
			Caps: []string{camera.CapFPS, camera.CapSize, camera.CapFlash}, Sizes: []camera.Size{{Width: 64, Height: 48}},
			Model: "ESP32", Warning: "it keeps 64x48",
		})
		b.pass(3 * time.Second)
		got := b.broker.take()
		infos := of(got, wire.KindInfo)
		if len(infos) != 1 {
			t.Fatalf("%d infos, want 1", len(infos))
		}
		var i wire.Info
		if err := json.Unmarshal(infos[0].Payload, &i); err != nil || i.Model != "ESP32" || !slices.Equal(i.Sizes, []string{"64x48"}) || !slices.Equal(i.Caps, []string{"fps", "flash", "size", wire.CapStill}) {
			t.Errorf("info %+v, %v", i, err)
		}
		if i.Labels["room"] != "hall" {
			t.Errorf("labels %v", i.Labels)
		}
		if s := state(t, got); s.Warning != "it keeps 64x48" || s.Error != nil {
			t.Errorf("state %+v", s)
		}
		if announced != 2 {
			t.Errorf("announced %d times, want at the begin and then once", announced)
		}
		b.end()
	})
}

// Where pictures come from is for the configuration alone: no message changes it.
func TestNoAddressFromMQTT(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, nil)
		b.broker.take()
		const evil = "http://192.0.2.1/"
		for _, say := range [][2]string{
			{"set/source", evil},
			{"set/url", evil},
			{"set", `{"source":"` + evil + `"}`},
			{"set", `{"fps":5,"source":"` + evil + `"}`},
			{"cmd", "snap source=" + evil},
			{"cmd", "start url=" + evil},
			{"cmd", `{"cmd":"snap","id":"` + evil + `","max_age":"` + evil + `"}`},
		} {
			b.say("porch/"+say[0], say[1])
			r := results(t, b.broker.take())
			if len(r) != 1 || r[0].Code != wire.BadArgument {
				t.Errorf("%s %s: %+v, want bad_argument", say[0], say[1], r)
			}
		}
		if b.camera.Opens.Load() != 0 {
			t.Error("the camera was opened")
		}
		// Keys that are not known are ignored in JSON, as readers do.
		b.say("porch/cmd", `{"cmd":"snap","source":"`+evil+`"}`)
		b.end()
	})
	// All that a command or setting can tell a camera is its mode: numbers.
	for _, f := range reflect.VisibleFields(reflect.TypeFor[camera.Mode]()) {
		if f.Type == reflect.TypeFor[<-chan struct{}]() { // says when, and nothing else
			continue
		}
		if k := f.Type.Kind(); k != reflect.Int && k != reflect.Float64 && k != reflect.Bool {
			t.Errorf("camera.Mode.%s is a %s: want nothing that could hold an address", f.Name, k)
		}
	}
}
