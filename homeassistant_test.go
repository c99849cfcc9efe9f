package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
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
	for _, h := range houses {
		t.Run(h.name, func(t *testing.T) {
			p := h.start(t)
			p.camera(t, "front")
			home := p.home(t, h.v5)
			home.Await("switch.front_live", "off", patience)
			if got, want := sensorsAside(home.Entities()), everything("front"); !slices.Equal(got, want) {
				t.Errorf("entities %v, want %v", got, want)
			}
			for id, state := range map[string]string{
				"camera.front": "idle", "binary_sensor.front_connection": "on", "binary_sensor.front_problem": "off",
				"switch.front_privacy": "off", "number.front_fps": "10", "image.front_snapshot": homeassistant.Unknown,
			} {
				home.Await(id, state, patience)
			}
			if d := home.Devices()["camqtt_front"]; d.Name != "Front door" || d.Via != "" {
				t.Errorf("device %+v", d)
			}
			useAll(t, home)
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
	home.Until(patience, "the snapshot is there", func() bool {
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
	home.Until(patience, "the picture's time", func() bool {
		_, err := time.Parse(time.RFC3339, home.State("sensor.front_last_picture"))
		return err == nil
	})

	expect(t, home.TurnOn("switch.front_live"), "cam/front/cmd", "start")
	home.Await("switch.front_live", "on", patience)
	home.Until(patience, "stream_started", func() bool {
		e, _ := home.Entity("event.front_event")
		return e.Attributes["event_type"] == "stream_started"
	})
	home.Enable("sensor.front_viewers")
	home.Await("sensor.front_viewers", "1", patience)
	home.Enable("sensor.front_bandwidth")
	home.Until(patience, "rate and bandwidth", func() bool {
		return home.State("sensor.front_frame_rate") > "1" && home.State("sensor.front_bandwidth") > "1"
	})

	expect(t, home.Set("number.front_fps", 5), "cam/front/set/fps", "5")
	home.Await("number.front_fps", "5", patience)
	expect(t, home.Set("number.front_quality", 55.7), "cam/front/set/quality", "55")
	home.Await("number.front_quality", "55", patience)
	expect(t, home.TurnOff("switch.front_live"), "cam/front/cmd", "stop")
	home.Await("switch.front_live", "off", patience)
	home.Until(patience, "stream_stopped", func() bool {
		e, _ := home.Entity("event.front_event")
		return e.Attributes["event_type"] == "stream_stopped"
	})
	// No picture comes now, and yet the choice is shown.
	expect(t, home.Select("select.front_size", "320x240"), "cam/front/set/size", "320x240")
	home.Await("select.front_size", "320x240", patience)

	expect(t, home.TurnOn("switch.front_privacy"), "cam/front/set/privacy", "on")
	home.Await("switch.front_privacy", "on", patience)
	expect(t, home.TurnOff("switch.front_privacy"), "cam/front/set/privacy", "off")
	home.Await("switch.front_privacy", "off", patience)
	home.Enable("sensor.front_started")
	home.Enable("sensor.front_reconnects")
	home.Await("sensor.front_reconnects", "0", patience)
}

// TestHomeAssistantRestarts ends and starts every part, alone and together:
// entities are unavailable while the camera is, and come back by themselves.
func TestHomeAssistantRestarts(t *testing.T) {
	for _, h := range houses {
		t.Run(h.name, func(t *testing.T) {
			p := h.start(t)
			camera := p.camera(t, "front")
			home := p.home(t, h.v5)
			works := func(when string) {
				t.Helper()
				home.Until(2*patience, when+": everything is back", func() bool {
					return slices.Equal(sensorsAside(home.Entities()), everything("front")) && home.State("switch.front_live") == "off" &&
						home.State("binary_sensor.front_connection") == "on" &&
						home.State("sensor.front_frame_rate") != homeassistant.Unknown // a heartbeat: some brokers keep "online" of who is not there
				})
				before, _ := home.Entity("event.front_event")
				home.Press("button.front_snap")
				home.Until(patience, when+": a snapshot", func() bool {
					e, _ := home.Entity("event.front_event")
					return e.Changes > before.Changes && e.Attributes["event_type"] == "snapshot"
				})
			}
			works("start")

			home.Restart()
			works("home assistant restarted")

			_ = camera.Cmd.Process.Kill()
			camera.Wait(patience)
			home.Await("camera.front", homeassistant.Unavailable, patience)
			home.Await("binary_sensor.front_connection", "off", patience)
			if s := home.State("switch.front_live"); s != homeassistant.Unavailable {
				t.Errorf("the switch of a dead camera is %s", s)
			}
			camera = p.camera(t, "front")
			works("camera restarted")

			home.Stop()
			p.stop()
			p.back()
			if h.name == "NATS" { // whoever subscribes while it starts may not be told what it keeps
				testkit.Until(t, patience, "it tells what it keeps", func() bool { return len(p.kept(t, "homeassistant/#")) > 0 })
			}
			home.Restart()
			works("broker restarted")

			home.Stop()
			_ = camera.Cmd.Process.Kill()
			camera.Wait(patience)
			p.stop()
			p.back()
			if h.name == "NATS" {
				testkit.Until(t, patience, "it tells what it keeps", func() bool { return len(p.kept(t, "homeassistant/#")) > 0 })
			}
			home.Restart()
			p.camera(t, "front")
			works("everything restarted")
		})
	}
}

// TestHomeAssistantCostsNothing: that it is connected and shows everything does
// not open the camera, and its camera entity gets previews at their own rate.
func TestHomeAssistantCostsNothing(t *testing.T) {
	p := embedded(t)
	source, dir := counting(t)
	p.camera(t, "front", "source="+source, "fps=10")
	home := p.home(t, true)
	home.Await("switch.front_live", "off", patience)
	home.Restart()
	home.Await("switch.front_live", "off", patience)
	home.Await("sensor.front_frame_rate", "0", patience) // two heartbeats later
	if _, started := alive(t, dir); started != 0 {
		t.Errorf("the camera was opened %d times", started)
	}
	previews := make(chan wire.Message, 4096)
	c := testkit.DialMQTT(t, testkit.MQTTOptions{Addr: p.addr, ID: "count", Receive: func(m wire.Message) { previews <- m }})
	if _, err := c.Subscribe(0, "cam/front/preview", "cam/front/state"); err != nil {
		t.Fatal(err)
	}
	home.TurnOn("switch.front_live")
	var state wire.State
	shown, frames := 0, time.Now()
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
		case <-time.After(patience):
			t.Fatal("no previews")
		}
	}
	if took := time.Since(frames); took < 1900*time.Millisecond { // three are two seconds apart at least
		t.Errorf("three previews within %s, want one a second", took)
	}
	if state.Viewers != 1 {
		t.Errorf("%d leases, want the switch's own", state.Viewers)
	}
	home.TurnOff("switch.front_live")
	testkit.Until(t, patience, "the camera is closed", func() bool { n, _ := alive(t, dir); return n == 0 })
}

// TestPrivacyIsPrivate: while it is on no program of the camera runs and no
// picture leaves, whatever is asked.
func TestPrivacyIsPrivate(t *testing.T) {
	p := mosquitto(t)
	source, dir := counting(t)
	p.camera(t, "front", "source="+source, "fps=20", "snap_every=1s")
	home := p.home(t, false)
	home.Await("switch.front_live", "off", patience)
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
			case <-time.After(patience):
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
		home.Await("switch.front_privacy", "on", patience)
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
		if s := home.State("switch.front_live"); s != "off" {
			t.Errorf("round %d: live is %s", round, s)
		}
		home.TurnOff("switch.front_privacy")
		home.Await("switch.front_privacy", "off", patience)
		home.TurnOn("switch.front_live")
	}
}

// TestHomeAssistantModes switches modes, renames, drops entities and forgets,
// with Home Assistant there and away: nothing stays behind.
func TestHomeAssistantModes(t *testing.T) {
	for _, h := range houses {
		t.Run(h.name, func(t *testing.T) {
			p := h.start(t)
			camera := p.camera(t, "front")
			home := p.home(t, h.v5)
			home.Await("switch.front_live", "off", patience)
			again := func(pairs ...string) {
				t.Helper()
				interrupt(t, camera)
				camera = p.camera(t, "front", pairs...)
			}
			again("name=Back door", "source=dir:"+t.TempDir()) // neither size nor quality can be asked of a folder
			home.Until(patience, "entities are dropped and it is renamed", func() bool {
				ids := strings.Join(home.Entities(), " ")
				return !strings.Contains(ids, "quality") && !strings.Contains(ids, "size") && home.Devices()["camqtt_front"].Name == "Back door"
			})
			if !strings.HasPrefix(h.name, "embedded") { // there the hub decides
				for _, mode := range []string{"component", "device", "component"} {
					again("homeassistant.discovery=" + mode)
					one := map[string]int{"component": 10, "device": 1}[mode]
					defer func() {
						if t.Failed() {
							for topic := range p.kept(t, "homeassistant/#") {
								t.Log("kept", topic)
							}
						}
					}()
					home.Until(patience, "only "+mode+" is kept", func() bool {
						n := 0
						for topic := range p.kept(t, "homeassistant/#") {
							if !strings.HasPrefix(topic, "homeassistant/device/") == (mode == "component") {
								n++
							} else {
								n = -1000
							}
						}
						return n >= one && slices.Equal(sensorsAside(home.Entities()), everything("front")) && home.State("switch.front_live") == "off"
					})
				}
				again("homeassistant.discovery=off")
				home.Until(patience, "off: nothing is kept or shown", func() bool {
					return len(p.kept(t, "homeassistant/#")) == 0 && len(home.Entities()) == 0
				})
				again()
				home.Await("switch.front_live", "off", patience)
			}
			interrupt(t, camera)
			must(t, "forget", "front", "--broker", p.url())
			home.Until(patience, "forgotten", func() bool {
				return len(home.Entities()) == 0 && len(home.Devices()) == 0 && len(p.kept(t, "homeassistant/#")) == 0
			})
			for topic := range p.kept(t, "cam/#") {
				if topic != "cam/_hub/discovery" {
					t.Errorf("%s is kept", topic)
				}
			}
		})
	}
}

// TestHubModes changes the mode of the hub, which restarts the broker: Home
// Assistant is not there while old entities are removed.
func TestHubModes(t *testing.T) {
	data, port := t.TempDir(), testkit.FreePort(t)
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	hub := func(mode string) *testkit.Program {
		p := serve(t, "run", "-c", "broker.listen="+addr, "-c", "broker.data="+data, "-c", "homeassistant.discovery="+mode,
			"-c", "cameras.front.source=test:", "-c", "cameras.front.stats_every=1s")
		online(t, "mqtt://"+addr, "front")
		return p
	}
	p := place{addr: addr}
	h := hub("device")
	home := p.home(t, true)
	home.Await("switch.front_live", "off", patience)
	for _, mode := range []string{"component", "device", "off", "component", "off"} {
		home.Stop()
		interrupt(t, h)
		h = hub(mode)
		home.Restart()
		home.Until(patience, mode, func() bool {
			n := len(p.kept(t, "homeassistant/#"))
			switch mode {
			case "off":
				return n == 0 && len(home.Entities()) == 0
			case "device":
				return n == 1 && home.State("switch.front_live") == "off"
			}
			return n > 10 && home.State("switch.front_live") == "off"
		})
	}
}

// TestHubAnnouncesBridges: several cameras that one machine fetches hang from it.
func TestBridgesAreDevices(t *testing.T) {
	for _, h := range houses[1:4] {
		t.Run(h.name, func(t *testing.T) {
			d := startDemo(t) // whose cameras are fetched over HTTP
			p := h.start(t)
			args := []string{"run", "-c", "mqtt.url=" + p.url()}
			for _, id := range []string{"porch", "garden"} {
				args = append(args, "-c", "cameras."+id+".source="+d.http+"/cam/"+id+"/snapshot.jpg")
			}
			args = append(args, "-c", "cameras.own.source=test:")
			bridge := serve(t, args...)
			home := p.home(t, h.v5)
			for _, id := range []string{"porch", "garden", "own"} {
				home.Await("switch."+id+"_live", "off", patience)
			}
			devices := home.Devices()
			via := devices["camqtt_porch"].Via
			if via == "" || devices["camqtt_garden"].Via != via || devices["camqtt_own"].Via != "" || devices[via].Name == "" {
				t.Errorf("devices %+v, want porch and garden to hang from a bridge", devices)
			}
			var button string
			for _, id := range home.Entities() {
				if strings.HasSuffix(id, "_snap_all") {
					button = id
				}
			}
			expect(t, home.Press(button), "cam/_all/cmd", "snap")
			home.Until(patience, "every camera has a picture", func() bool {
				n := 0
				for _, id := range []string{"porch", "garden", "own"} {
					if e, _ := home.Entity("image." + id + "_snapshot"); len(e.Picture) > 0 {
						n++
					}
				}
				return n == 3
			})
			interrupt(t, bridge)
			for _, id := range []string{"porch", "garden", "own"} {
				must(t, "forget", id, "--broker", p.url())
			}
			home.Until(patience, "all are forgotten", func() bool { return len(home.Devices()) == 0 && len(p.kept(t, "homeassistant/#")) == 0 })
		})
	}
}

// TestForbiddenDiscovery: an account that may do no more than a camera must is a
// camera all the same, and is not thrown off the broker.
func TestForbiddenDiscovery(t *testing.T) {
	dir := t.TempDir()
	file, secret, rights := filepath.Join(dir, "passwords"), filepath.Join(dir, "secret"), filepath.Join(dir, "acl")
	for _, args := range [][]string{{"-b", "-c", file, "cam", "s3cret"}, {"-b", file, "all", "s3cret"}} {
		if _, stderr, status := testkit.Run(t, patience, testkit.Tool(t, "mosquitto_passwd"), args...); status != 0 {
			t.Fatal(stderr)
		}
	}
	const acl = "user cam\ntopic readwrite cam/front/#\ntopic read cam/_all/cmd\nuser all\ntopic readwrite #\n"
	for path, text := range map[string]string{secret: "s3cret\n", rights: acl} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	m := testkit.StartMosquitto(t, "password_file "+file, "user root", "acl_file "+rights)
	p := &place{addr: m.Addr}
	p.camera(t, "front", "mqtt.username=cam", "mqtt.password_file="+secret)
	all := make(chan wire.Message, 4096)
	c := testkit.DialMQTT(t, testkit.MQTTOptions{Addr: m.Addr, ID: "spy", User: "all", Password: "s3cret", Receive: func(m wire.Message) { all <- m }})
	if _, err := c.Subscribe(0, "#"); err != nil {
		t.Fatal(err)
	}
	if err := c.Publish(wire.Message{Topic: "homeassistant/status", Payload: []byte("online"), QoS: 1}); err != nil {
		t.Fatal(err)
	}
	for beats := 0; beats < 8; { // longer than it waits after a birth message
		select {
		case m := <-all:
			if strings.HasSuffix(m.Topic, "/config") {
				t.Errorf("%s came through", m.Topic)
			}
			if m.Topic == "cam/front/stats" {
				beats++
				if !strings.Contains(string(m.Payload), `"reconnects":0`) {
					t.Errorf("thrown off: %s", m.Payload)
				}
			}
		case <-time.After(patience):
			t.Fatal("no heartbeat")
		}
	}
}
