package node_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"camqtt/internal/testkit"
	"camqtt/internal/wire"
	"camqtt/node"
	"camqtt/node/camera"
)

func TestCameraFaults(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		code wire.Code
	}{
		"gone":    {&camera.Error{Code: camera.NoCamera, Text: "no such device"}, wire.NoCamera},
		"busy":    {&camera.Error{Code: camera.CameraBusy, Text: "in use"}, wire.CameraBusy},
		"config":  {&camera.Error{Code: camera.Config, Text: "bad option"}, wire.Config},
		"unknown": {errors.New("boom"), wire.NoCamera},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := start(t, nil)
				b.camera.Break(c.err)
				b.broker.take()
				b.say("porch/cmd", "snap id=a1")
				b.pass(2 * time.Second)
				got := b.broker.take()
				if r := results(t, got); len(r) != 1 || r[0].OK || r[0].Code != c.code || r[0].Text == "" {
					t.Errorf("results %+v, want %s", r, c.code)
				}
				if s := state(t, got); s.Error == nil || s.Error.Code != c.code {
					t.Errorf("state %+v", s)
				}
				if !slices.Equal(events(t, got), []string{"error"}) {
					t.Errorf("events %v", events(t, got))
				}
				b.camera.Break(nil)
				b.say("porch/cmd", "snap id=a2")
				b.pass(2 * time.Second)
				got = b.broker.take()
				if r := results(t, got); len(r) != 1 || !r[0].OK {
					t.Errorf("once mended: %+v", r)
				}
				if s := state(t, got); s.Error != nil {
					t.Errorf("state %+v, want no error", s)
				}
				b.end()
			})
		})
	}
}

// TestBackOff counts how often a dead camera is tried while somebody watches.
func TestBackOff(t *testing.T) {
	for code, most := range map[camera.Code]int64{camera.NoCamera: 18, camera.CameraBusy: 160, camera.Config: 12} {
		bubble(t, func(t *testing.T) {
			b := start(t, func(o *node.Options, _ *testkit.Camera) { o.Settings = settings(t, "max_stream=0s") })
			b.camera.Break(&camera.Error{Code: code, Text: "no"})
			b.say("porch/cmd", "start")
			b.pass(10 * time.Minute)
			if n := b.camera.Opens.Load(); n < 5 || n > most {
				t.Errorf("%s: %d attempts in 10 minutes, want 5 to %d", code, n, most)
			}
			if r := results(t, b.broker.take()); len(r) != 1 || string(r[0].Code) != string(code) {
				t.Errorf("results %+v", r)
			}
			b.camera.Break(nil)
			b.pass(80 * time.Second)
			if n := len(of(b.broker.take(), wire.KindFrame)); n == 0 {
				t.Error("the stream did not heal")
			}
			b.end()
		})
	}
}

// TestSnapsDoNotHammer fires snaps at a dead camera.
func TestSnapsDoNotHammer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, nil)
		b.camera.Break(&camera.Error{Code: camera.NoCamera, Text: "no"})
		b.broker.take()
		for range 100 {
			b.say("porch/cmd", "snap")
			b.pass(50 * time.Millisecond)
		}
		if n := b.camera.Opens.Load(); n > 6 {
			t.Errorf("the camera was tried %d times in 5 s", n)
		}
		if n := len(results(t, b.broker.take())); n != 100 {
			t.Errorf("%d results for 100 snaps", n)
		}
		b.end()
	})
}

func TestStall(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, nil)
		b.say("porch/cmd", "start viewer=w for=1h")
		b.pass(5 * time.Second)
		b.camera.Hang(true)
		b.broker.take()
		b.pass(5 * time.Second)
		got := b.broker.take()
		if s := state(t, got); s.Error == nil || s.Error.Code != wire.Stalled {
			t.Errorf("state %+v, want stalled", s)
		}
		b.say("porch/cmd", "snap")
		b.pass(30 * time.Second)
		if r := results(t, b.broker.take()); len(r) != 1 || r[0].Code != wire.Stalled {
			t.Errorf("results %+v", r)
		}
		b.camera.Hang(false)
		b.pass(80 * time.Second)
		got = b.broker.take()
		if s := state(t, got); s.Error != nil || len(of(got, wire.KindFrame)) == 0 {
			t.Errorf("the camera did not come back: state %+v", s)
		}
		b.end()
	})
}

func TestSlowCameraIsNotStalled(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, func(o *node.Options, c *testkit.Camera) {
			c.Every, o.Settings = 10*time.Second, settings(t, "max_stream=0s")
		})
		b.say("porch/cmd", "start")
		b.pass(10 * time.Minute)
		if n := b.camera.Opens.Load(); n != 1 {
			t.Errorf("a camera of one picture in 10 s was opened %d times", n)
		}
		b.end()
	})
}

func TestCommandsRefused(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, nil)
		b.broker.take()
		for _, c := range []struct {
			payload  string
			retained bool
			code     wire.Code // "": no result at all
		}{
			{"", false, ""},
			{"", true, ""},
			{"snap id=a", true, wire.RetainedIgnored},
			{`{"cmd":"snap","ts":"2000-01-01T00:00:00Z"}`, true, wire.RetainedIgnored},
			{`{"cmd":"snap","ts":"1999-01-01T00:00:00Z"}`, false, wire.Expired},
			{"dance", false, wire.UnknownCommand},
			{`{"cmd":`, false, wire.BadArgument},
			{"start fps=-1", false, wire.BadArgument},
			{"start for=1e9h", false, wire.BadArgument},
			{strings.Repeat("snap ", 200_000), false, wire.BadArgument},
		} {
			b.node.Handle(wire.Message{Topic: "cam/porch/cmd", Payload: []byte(c.payload), Retained: c.retained})
			b.pass(0)
			r := results(t, b.broker.take())
			switch {
			case c.code == "" && len(r) != 0:
				t.Errorf("%.40q: results %+v, want none", c.payload, r)
			case c.code != "" && (len(r) != 1 || r[0].OK || r[0].Code != c.code || r[0].Text == ""):
				t.Errorf("%.40q: results %+v, want %s", c.payload, r, c.code)
			}
		}
		if b.camera.Opens.Load() != 0 {
			t.Error("a refused command opened the camera")
		}
		b.end()
	})
}

func TestHello(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, nil)
		b.broker.take()
		b.say("porch/cmd", "hello id=h1")
		if got := kinds(b.broker.take()); !slices.Equal(got, []string{"status", "info", "state", "result"}) {
			t.Errorf("hello: %v", got)
		}
		b.say("_all/cmd", "hello")
		b.pass(500 * time.Millisecond)
		if got := kinds(b.broker.take()); !slices.Equal(got, []string{"status", "info", "state", "result"}) {
			t.Errorf("hello to all: %v", got)
		}
		b.say("_all/cmd", "snap")
		b.pass(time.Second)
		if r := results(t, b.broker.take()); len(r) != 1 || !r[0].OK {
			t.Errorf("snap to all: %+v", r)
		}
		b.end()
	})
}

func TestSettings(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, func(_ *node.Options, c *testkit.Camera) { c.Prof.Caps = []string{camera.CapFPS} })
		b.say("porch/cmd", "start viewer=w for=1h")
		b.pass(time.Second)
		b.say("porch/set/fps", "2")
		b.pass(time.Second)
		b.broker.take()
		b.pass(10 * time.Second)
		if n := len(of(b.broker.take(), wire.KindFrame)); n < 19 || n > 21 {
			t.Errorf("%d frames in 10 s after set/fps 2", n)
		}
		for _, c := range []struct {
			topic, payload string
			code           wire.Code
		}{
			{"set", `{"fps":3,"name":"Front"}`, wire.OK},
			{"set", `{"fps":4,"nonsense":1}`, wire.BadArgument},
			{"set/size", "640x480", wire.Unsupported},
			{"set/quality", "50", wire.Unsupported},
			{"set/motion", "on", wire.Unsupported},
			{"set/fps", "fast", wire.BadArgument},
			{"set/colour", "red", wire.BadArgument},
		} {
			b.broker.take()
			b.say("porch/"+c.topic, c.payload)
			b.pass(0)
			got := b.broker.take()
			if r := results(t, got); len(r) != 1 || r[0].Code != c.code || r[0].Cmd != "set" {
				t.Errorf("%s %s: %+v, want %s", c.topic, c.payload, r, c.code)
			}
			if c.code != wire.OK {
				continue
			}
			var i wire.Info
			if err := json.Unmarshal(of(got, wire.KindInfo)[0].Payload, &i); err != nil || i.Name != "Front" || i.MaxFPS != 3 {
				t.Errorf("info %+v, %v", i, err)
			}
		}
		b.end()
	})
}

func TestPrivacy(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, nil)
		b.say("porch/cmd", "start viewer=w for=1h")
		b.pass(2 * time.Second)
		b.say("porch/set/privacy", "on")
		b.pass(100 * time.Millisecond)
		if b.camera.Open.Load() != 0 {
			t.Error("the camera is open in privacy")
		}
		b.pass(2 * time.Second)
		if s := state(t, b.broker.take()); !s.Privacy || s.Streaming {
			t.Errorf("state %+v", s)
		}
		for _, cmd := range []string{"snap", "snap max_age=1h", "start", "start viewer=w"} {
			b.say("porch/cmd", cmd)
			b.pass(time.Second)
			got := b.broker.take()
			if r := results(t, got); len(r) != 1 || r[0].Code != wire.Privacy {
				t.Errorf("%s: %+v", cmd, r)
			}
			if len(of(got, wire.KindFrame))+len(of(got, wire.KindPreview))+len(of(got, wire.KindSnapshot)) > 0 {
				t.Error("a picture left in privacy")
			}
		}
		b.say("porch/set/privacy", "off")
		b.say("porch/cmd", "snap")
		b.pass(time.Second)
		if r := results(t, b.broker.take()); len(r) != 2 || !r[1].OK {
			t.Errorf("after privacy: %+v", r)
		}
		b.end()
	})
}

// TestTwins lets a node meet another of its id: it serves while it is the one that is
// heard, stands by when the other is, and steps in when the other goes.
func TestTwins(t *testing.T) {
	info := func(instance string) string {
		b, _ := json.Marshal(wire.Info{ID: "porch", Host: "pi2", Instance: instance})
		return string(b)
	}
	bubble(t, func(t *testing.T) {
		b := start(t, nil)
		b.broker.take()
		b.node.Handle(wire.Message{Topic: "cam/porch/info", Payload: []byte(info("00000000")), Retained: true})
		b.say("porch/info", info("00000000")) // a broker that does not mark it as retained
		b.pass(2 * time.Second)
		got := b.broker.take()
		b.say("porch/stats", string(of(got, wire.KindStats)[0].Payload)) // its own, as the broker gives it back
		b.pass(5 * time.Second)
		b.say("porch/cmd", "snap")
		b.pass(time.Second)
		got = b.broker.take()
		if r := results(t, got); len(r) != 1 {
			t.Errorf("a leftover of another start silenced the node: %+v", r)
		}

		b.say("porch/info", info("00000000")) // one that has just started
		b.pass(2 * time.Second)
		got = b.broker.take()
		if s := state(t, got); s.Error == nil || s.Error.Code != wire.Config || !strings.Contains(s.Error.Text, "pi2") {
			t.Errorf("state %+v, want a word on the second node", s)
		}
		if len(of(got, wire.KindInfo)) != 1 || len(of(got, wire.KindStats)) != 1 || string(of(got, wire.KindStatus)[0].Payload) != "online" {
			t.Errorf("published %v, want status, info and a heartbeat", kinds(got))
		}
		b.say("porch/status", "offline") // the other one's will
		b.pass(0)
		if got := of(b.broker.take(), wire.KindStatus); len(got) != 1 || string(got[0].Payload) != "online" {
			t.Errorf("a false offline was not corrected: %v", got)
		}

		b.say("porch/stats", `{"instance":"00000000","every":30}`)
		b.broker.take()
		b.say("porch/cmd", "snap")
		for range 7 {
			b.pass(5 * time.Second)
			b.say("porch/stats", `{"instance":"00000000","every":5}`)
		}
		for _, m := range b.broker.take() {
			if kinds([]sent{m})[0] != "info" || !strings.Contains(string(m.Payload), `"standby":true`) || m.Retained {
				t.Errorf("standing by, the node published %s %s", m.Topic, m.Payload)
			}
		}
		b.say("porch/status", "offline")
		b.say("porch/cmd", "snap")
		b.pass(time.Second)
		got = b.broker.take()
		if r := results(t, got); len(r) != 1 || !r[0].OK || string(got[0].Payload) != "online" {
			t.Errorf("the node did not step in: %v", kinds(got))
		}

		b.say("porch/stats", `{"instance":"00000000","every":30}`)
		b.broker.take()
		b.pass(20 * time.Second) // the other one is gone without a word
		b.say("porch/cmd", "snap")
		b.pass(time.Second)
		if r := results(t, b.broker.take()); len(r) != 1 || !r[0].OK {
			t.Errorf("the node did not step in after 20 s of silence: %+v", r)
		}
		b.end()
	})
}
