package e2e

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"camqtt/internal/testkit"
	"camqtt/internal/testkit/homeassistant"
	"camqtt/internal/wire"
)

// sensorsAside leaves out entities that depend on the machine.
func sensorsAside(all []string) []string {
	return slices.DeleteFunc(all, func(id string) bool {
		return strings.HasSuffix(id, "_temperature") || strings.HasSuffix(id, "_signal")
	})
}

// expect checks a command that Home Assistant has sent.
func expect(t *testing.T, sent wire.Message, topic, payload string) {
	t.Helper()
	if sent.Topic != topic || string(sent.Payload) != payload || sent.Retained {
		t.Errorf("sent %q on %s, retained %v; want %q on %s", sent.Payload, sent.Topic, sent.Retained, payload, topic)
	}
}

// TestHomeAssistant uses every entity of a camera, at every broker.
func TestHomeAssistant(t *testing.T) {
	t.Parallel()
	for _, h := range houses {
		t.Run(h.name, func(t *testing.T) {
			t.Parallel()
			p := h.start(t)
			p.camera(t, "front")
			home := p.home(t, h.v5)
			home.Await("switch.front_live", "off")
			if got, want := ofCamera(home, "front"), everything("front"); !slices.Equal(got, want) {
				t.Errorf("entities %v, want %v", got, want)
			}
			for id, state := range map[string]string{
				"camera.front": "idle", "binary_sensor.front_connection": "on", "binary_sensor.front_problem": "off",
				"switch.front_privacy": "off", "number.front_fps": "10", "image.front_snapshot": homeassistant.Unavailable,
			} {
				home.Await(id, state)
			}
			hub := map[bool]string{true: "camqtt__hub", false: ""}[strings.HasPrefix(h.name, "embedded")]
			home.Until("front hangs from "+hub, func() bool {
				d := home.Devices()["camqtt_front"]
				return d.Name == "Front door" && d.Via == hub && (hub == "" || home.Devices()[hub].Name != "")
			})
			useAll(t, home)
			fired(t, home)
			if n := home.Heard(); n["homeassistant/device/camqtt_front/config"] > 2 { // at the start, and on its birth message
				t.Errorf("discovery came %v times", n)
			}
		})
	}
}

// useAll presses, turns, sets and selects all there is.
func useAll(t *testing.T, home *homeassistant.Home) {
	t.Helper()
	expect(t, home.Press("button.front_snap"), "cam/front/cmd", "snap")
	home.Until("the snapshot is there", func() bool {
		img, _ := home.Entity("image.front_snapshot")
		event, _ := home.Entity("event.front_event")
		return len(img.Picture) > 0 && img.Attributes["cause"] == "command" && event.Attributes["event_type"] == "snapshot"
	})
	img, _ := home.Entity("image.front_snapshot")
	cam, _ := home.Entity("camera.front")
	if string(img.Picture) != string(cam.Picture) {
		t.Error("the camera does not show the snapshot")
	}
	decode(t, cam.Picture)
	home.Until("the picture's time", func() bool {
		_, err := time.Parse(time.RFC3339, home.State("sensor.front_last_picture"))
		return err == nil
	})

	expect(t, home.TurnOn("switch.front_live"), "cam/front/cmd", "start")
	home.Await("switch.front_live", "on")
	home.Until("stream_started", func() bool {
		e, _ := home.Entity("event.front_event")
		return e.Attributes["event_type"] == "stream_started"
	})
	home.Enable("sensor.front_viewers")
	home.Await("sensor.front_viewers", "1")
	home.Enable("sensor.front_bandwidth")
	home.Until("rate and bandwidth", func() bool {
		return home.State("sensor.front_frame_rate") > "1" && home.State("sensor.front_bandwidth") > "1"
	})

	expect(t, home.Set("number.front_fps", 5), "cam/front/set/fps", "5")
	home.Await("number.front_fps", "5")
	expect(t, home.Set("number.front_quality", 55.7), "cam/front/set/quality", "55")
	home.Await("number.front_quality", "55")
	expect(t, home.TurnOff("switch.front_live"), "cam/front/cmd", "stop")
	home.Await("switch.front_live", "off")
	home.Until("stream_stopped", func() bool {
		e, _ := home.Entity("event.front_event")
		return e.Attributes["event_type"] == "stream_stopped"
	})
	// No picture comes now, and yet the choice is shown.
	expect(t, home.Select("select.front_size", "320x240"), "cam/front/set/size", "320x240")
	home.Await("select.front_size", "320x240")

	expect(t, home.TurnOn("switch.front_privacy"), "cam/front/set/privacy", "on")
	home.Await("switch.front_privacy", "on")
	for _, id := range []string{"camera.front", "button.front_snap", "switch.front_live", "image.front_snapshot"} {
		home.Await(id, homeassistant.Unavailable)
	}
	expect(t, home.TurnOff("switch.front_privacy"), "cam/front/set/privacy", "off")
	home.Await("switch.front_privacy", "off")
	home.Await("button.front_snap", homeassistant.Unknown)
	home.Enable("sensor.front_started")
	home.Enable("sensor.front_reconnects")
	home.Await("sensor.front_reconnects", "0")
}

// fired checks that the triggers have fired for what useAll has done.
func fired(t *testing.T, home *homeassistant.Home) {
	t.Helper()
	for _, event := range []string{"snapshot", "stream_started", "stream_stopped"} {
		home.Until("the trigger "+event, func() bool { return home.Triggers("camqtt_front")[event].Fired > 0 })
	}
	if x, ok := home.Triggers("camqtt_front")["error"]; !ok || x.Fired > 0 {
		t.Errorf("trigger for errors: %+v, there: %v", x, ok)
	}
}

// TestRefusalIsSeen: what a camera refuses is an event in Home Assistant, with the
// reason, whoever has asked.
func TestRefusalIsSeen(t *testing.T) {
	t.Parallel()
	p := embedded(t)
	p.camera(t, "front")
	home := p.home(t, true)
	home.Await("switch.front_privacy", "off")
	home.TurnOn("switch.front_privacy")
	home.Await("button.front_snap", homeassistant.Unavailable)
	camqtt(t, "snap", "front", "--broker", p.url(), "-o", os.DevNull)
	home.Until("the refusal", func() bool {
		e, _ := home.Entity("event.front_refused")
		return e.Attributes["code"] == "privacy" && e.Attributes["cmd"] == "snap" && e.Attributes["text"] != ""
	})
}

// TestHomeAssistantRestarts ends and starts every part, alone and together:
// entities are unavailable while the camera is, and come back by themselves.
func TestHomeAssistantRestarts(t *testing.T) {
	t.Parallel()
	for _, h := range houses {
		t.Run(h.name, func(t *testing.T) {
			t.Parallel()
			p := h.start(t)
			camera := p.camera(t, "front")
			home := p.home(t, h.v5)
			defer func() {
				if t.Failed() {
					t.Log(camera.Err())
				}
			}()
			works := func(when string) {
				t.Helper()
				home.Until(when+": everything is back", func() bool {
					return slices.Equal(ofCamera(home, "front"), everything("front")) && home.State("switch.front_live") == "off" &&
						home.State("binary_sensor.front_connection") == "on" &&
						home.State("sensor.front_frame_rate") != homeassistant.Unknown // a heartbeat: some brokers keep "online" of who is not there
				})
				before, _ := home.Entity("event.front_event")
				home.Press("button.front_snap")
				home.Until(when+": a snapshot", func() bool {
					e, _ := home.Entity("event.front_event")
					return e.Changes > before.Changes && e.Attributes["event_type"] == "snapshot"
				})
			}
			works("start")

			home.Restart()
			works("home assistant restarted")

			_ = camera.Cmd.Process.Kill()
			camera.Wait()
			home.Await("camera.front", homeassistant.Unavailable)
			home.Await("binary_sensor.front_connection", "off")
			if s := home.State("switch.front_live"); s != homeassistant.Unavailable {
				t.Errorf("the switch of a dead camera is %s", s)
			}
			camera = p.camera(t, "front")
			works("camera restarted")

			home.Stop()
			p.stop()
			p.back()
			if h.name == "NATS" { // whoever subscribes while it starts may not be told what it keeps
				testkit.Until(t, "it tells what it keeps", func() bool { return len(p.kept(t, "homeassistant/#")) > 0 })
			}
			home.Restart()
			works("broker restarted")

			home.Stop()
			_ = camera.Cmd.Process.Kill()
			camera.Wait()
			p.stop()
			p.back()
			if h.name == "NATS" {
				testkit.Until(t, "it tells what it keeps", func() bool { return len(p.kept(t, "homeassistant/#")) > 0 })
			}
			home.Restart()
			camera = p.camera(t, "front")
			works("everything restarted")
		})
	}
}

// TestHomeAssistantCostsNothing: a connected Home Assistant that shows everything does
// not open a camera after the first picture, which each camera takes at its start. Its
// camera entity gets previews at their own rate.
func TestHomeAssistantCostsNothing(t *testing.T) {
	t.Parallel()
	p := embedded(t)
	source, dir := counting(t)
	p.camera(t, "front", "source="+source, "fps=10")
	home := p.home(t, true)
	home.Await("switch.front_live", "off")
	home.Until("the first picture", func() bool {
		e, _ := home.Entity("camera.front")
		living, _ := alive(t, dir)
		return len(e.Picture) > 0 && living == 0
	})
	home.Restart()
	home.Await("switch.front_live", "off")
	home.Await("sensor.front_frame_rate", "0") // two heartbeats later
	if _, started := alive(t, dir); started != 1 {
		t.Errorf("the camera was opened %d times, want once", started)
	}
	if s := home.State("image.front_snapshot"); s != homeassistant.Unavailable {
		t.Errorf("the first picture is a snapshot: %s", s)
	}
	previews := make(chan wire.Message, 4096)
	c := testkit.DialMQTT(t, testkit.MQTTOptions{Addr: p.addr, ID: "count", Receive: func(m wire.Message) { previews <- m }})
	if _, err := c.Subscribe(0, "cam/front/preview", "cam/front/state"); err != nil {
		t.Fatal(err)
	}
	var state wire.State
	shown, before := 0, time.Now()
	home.TurnOn("switch.front_live")
	for shown < 3 {
		select {
		case m := <-previews:
			if strings.HasSuffix(m.Topic, "preview") && !m.Retained {
				shown++
			} else if strings.HasSuffix(m.Topic, "state") {
				if err := json.Unmarshal(m.Payload, &state); err != nil {
					t.Fatal(err)
				}
			}
		case <-time.After(testkit.Patience):
			t.Fatal("no previews")
		}
	}
	if took := time.Since(before); took < 1900*time.Millisecond { // three are two seconds apart at least
		t.Errorf("three previews within %s, want one a second", took)
	}
	if state.Viewers != 1 {
		t.Errorf("%d leases, want the switch's own", state.Viewers)
	}
	home.TurnOff("switch.front_live")
	testkit.Until(t, "the camera is closed", func() bool { n, _ := alive(t, dir); return n == 0 })
}

// TestPrivacyIsPrivate: while it is on no program of the camera runs and no
// picture leaves, whatever is asked.
func TestPrivacyIsPrivate(t *testing.T) {
	t.Parallel()
	p := mosquitto(t)
	source, dir := counting(t)
	p.camera(t, "front", "source="+source, "fps=20", "snap_every=1s")
	home := p.home(t, false)
	home.Await("switch.front_live", "off")
	home.TurnOn("switch.front_live")
	all := make(chan wire.Message, 8192)
	c := testkit.DialMQTT(t, testkit.MQTTOptions{Addr: p.addr, ID: "spy", Receive: func(m wire.Message) { all <- m }})
	if _, err := c.Subscribe(0, "cam/front/#"); err != nil {
		t.Fatal(err)
	}
	next := func(want func(m wire.Message) bool) (pictures int) {
		t.Helper()
		for {
			select {
			case m := <-all:
				_, kind, _ := wire.Base("").Split(m.Topic)
				if kind.IsPicture() && !m.Retained {
					pictures++
				}
				if want(m) {
					return pictures
				}
			case <-time.After(testkit.Patience):
				t.Fatal("it does not come")
			}
		}
	}
	result := func(text string) func(wire.Message) bool {
		return func(m wire.Message) bool {
			return m.Topic == "cam/front/result" && strings.Contains(string(m.Payload), text)
		}
	}
	say := func(topic, payload string) {
		t.Helper()
		if err := c.Publish(wire.Message{Topic: "cam/front/" + topic, Payload: []byte(payload), QoS: 1}); err != nil {
			t.Fatal(err)
		}
	}
	for round := range 5 {
		for live := 0; live < 10; { // pictures are on their way
			live += next(func(m wire.Message) bool { return m.Topic == "cam/front/frame" })
		}
		home.TurnOn("switch.front_privacy")
		next(result("privacy set"))
		if living, _ := alive(t, dir); living != 0 {
			t.Fatalf("round %d: privacy was said to be on, and %d programs of the camera run", round, living)
		}
		_, before := alive(t, dir)
		home.Await("switch.front_privacy", "on")
		for i, cmd := range []string{"snap", "start", "snap max_age=1h", "start viewer=v1 for=30s", `{"cmd":"snap"}`} {
			say("cmd", cmd)
			if n := next(result(`"code":"privacy"`)); n != 0 {
				t.Errorf("round %d, %s: %d pictures left", round, cmd, n)
			}
			_ = i
		}
		// Two scheduled snapshots would have come by now, and two heartbeats say so.
		for range 3 {
			if n := next(func(m wire.Message) bool { return m.Topic == "cam/front/stats" }); n != 0 {
				t.Errorf("round %d: %d pictures left", round, n)
			}
		}
		if _, after := alive(t, dir); after != before {
			t.Errorf("round %d: the camera was opened %d times", round, after-before)
		}
		home.Await("switch.front_live", homeassistant.Unavailable)
		home.TurnOff("switch.front_privacy")
		home.Await("switch.front_live", "off")
		home.TurnOn("switch.front_live")
	}
}
