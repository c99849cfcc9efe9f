package e2e

import (
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

// TestHomeAssistantModes switches modes, renames, drops entities and forgets,
// with Home Assistant there and away: nothing stays behind.
func TestHomeAssistantModes(t *testing.T) {
	t.Parallel()
	for _, h := range houses {
		t.Run(h.name, func(t *testing.T) {
			t.Parallel()
			p := h.start(t)
			camera := p.camera(t, "front")
			home := p.home(t, h.v5)
			home.Await("switch.front_live", "off")
			again := func(pairs ...string) {
				t.Helper()
				interrupt(t, camera)
				camera = p.camera(t, "front", pairs...)
			}
			again("name=Back door", "source=dir:"+t.TempDir()) // neither size nor quality can be asked of a folder
			home.Until("entities are dropped and it is renamed", func() bool {
				ids := strings.Join(home.Entities(), " ")
				return !strings.Contains(ids, "quality") && !strings.Contains(ids, "size") && home.Devices()["camqtt_front"].Name == "Back door"
			})
			if !strings.HasPrefix(h.name, "embedded") { // there the hub decides
				home.Rename("switch.front_live", "switch.hall_live")
				for _, mode := range []string{"component", "device", "component"} {
					again("homeassistant.discovery=" + mode)
					one := map[string]int{"component": 10, "device": 1}[mode]
					want := renamed("front")
					defer func() {
						if t.Failed() {
							for topic := range p.kept(t, "homeassistant/#") {
								t.Log("kept", topic)
							}
						}
					}()
					home.Until("only "+mode+" is kept", func() bool {
						n := 0
						for topic := range p.kept(t, "homeassistant/#") {
							if !strings.HasPrefix(topic, "homeassistant/device/") == (mode == "component") {
								n++
							} else {
								n = -1000
							}
						}
						return n >= one && slices.Equal(ofCamera(home, "front"), want) && home.State("switch.hall_live") == "off"
					})
				}
				again("homeassistant.discovery=off")
				home.Until("off: nothing is kept or shown", func() bool {
					return len(p.kept(t, "homeassistant/#")) == 0 && len(home.Registered()) == 0
				})
				again()
				home.Await("switch.front_live", "off")
			}
			interrupt(t, camera)
			must(t, "forget", "front", "--broker", p.url())
			home.Until("forgotten", func() bool {
				return onlyHub(home) && p.onlyHubKept(t)
			})
			for topic := range p.kept(t, "cam/#") {
				if topic != "cam/_hub/discovery" {
					t.Errorf("%s is kept", topic)
				}
			}
		})
	}
}

// renamed is everything of a camera of which one entity has got another id.
func renamed(id string) []string {
	all := everything(id)
	all[slices.Index(all, "switch."+id+"_live")] = "switch.hall_live"
	slices.Sort(all)
	return all
}

// onlyHub reports whether Home Assistant knows nothing any more but the hub.
func onlyHub(home *homeassistant.Home) bool {
	for device := range home.Devices() {
		if device != "camqtt__hub" {
			return false
		}
	}
	return len(slices.DeleteFunc(home.Registered(), func(id string) bool { return id == "button.camqtt_hub_snap_all" })) == 0
}

// onlyHubKept reports whether the broker keeps no discovery but the hub's.
func (p *place) onlyHubKept(t *testing.T) bool {
	for topic := range p.kept(t, "homeassistant/#") {
		if topic != "homeassistant/device/camqtt__hub/config" {
			return false
		}
	}
	return true
}

// TestHubModes changes the mode of the hub, which restarts the broker: Home
// Assistant is not there while old entities are removed.
func TestHubModes(t *testing.T) {
	t.Parallel()
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
	home.Await("switch.front_live", "off")
	for _, mode := range []string{"component", "device", "off", "component", "off"} {
		home.Stop()
		interrupt(t, h)
		h = hub(mode)
		home.Restart()
		home.Until(mode, func() bool {
			n := len(p.kept(t, "homeassistant/#"))
			switch mode {
			case "off":
				return n == 0 && len(home.Entities()) == 0
			case "device":
				return n == 2 && home.State("switch.front_live") == "off" // the hub and the camera
			}
			return n > 10 && len(p.kept(t, "homeassistant/device/#")) == 0 && home.State("switch.front_live") == "off"
		})
	}
}

// TestHubAnnouncesBridges: several cameras that one machine fetches hang from it.
func TestBridgesAreDevices(t *testing.T) {
	t.Parallel()
	for _, h := range houses[1:4] {
		t.Run(h.name, func(t *testing.T) {
			t.Parallel()
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
				home.Await("switch."+id+"_live", "off")
			}
			home.Until("porch and garden hang from a bridge", func() bool {
				devices := home.Devices()
				via := devices["camqtt_porch"].Via
				return via != "" && devices["camqtt_garden"].Via == via && devices["camqtt_own"].Via == devices[via].Via && devices[via].Name != ""
			})
			var button string
			home.Until("the bridge has a button", func() bool {
				for _, id := range home.Entities() {
					if strings.HasSuffix(id, "_snap_all") && !strings.Contains(id, "camqtt_hub") {
						button = id
					}
				}
				return button != ""
			})
			expect(t, home.Press(button), "cam/_all/cmd", "snap")
			home.Until("every camera has a picture", func() bool {
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
			home.Until("all are forgotten", func() bool { return onlyHub(home) && p.onlyHubKept(t) })
		})
	}
}

// TestForbiddenDiscovery: an account that may do no more than a camera must is a
// camera all the same, and is not thrown off the broker.
func TestForbiddenDiscovery(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, secret, rights := filepath.Join(dir, "passwords"), filepath.Join(dir, "secret"), filepath.Join(dir, "acl")
	for _, args := range [][]string{{"-b", "-c", file, "cam", "s3cret"}, {"-b", file, "all", "s3cret"}} {
		if _, stderr, status := testkit.Run(t, testkit.Tool(t, "mosquitto_passwd"), args...); status != 0 {
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
		case <-time.After(testkit.Patience):
			t.Fatal("no heartbeat")
		}
	}
}
