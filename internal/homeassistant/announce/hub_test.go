package announce

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"camqtt/internal/homeassistant"
	"camqtt/internal/wire"
)

func TestHubAnnouncesAndForgetsEveryCamera(t *testing.T) {
	inBubble(t, func(b *bubble) {
		hub := b.start(Options{Hass: homeassistant.Options{URL: "http://hub:8080"}})
		hub.connect()
		b.publish(infoMessage(t, info("front")), infoMessage(t, info("back")))
		b.publish(wire.Message{Topic: "cam/evil/info", Payload: []byte(`{"id":"other"}`), Retained: true})
		b.publish(wire.Message{Topic: "cam/evil/info", Payload: []byte(`{`), Retained: true})
		b.publish(wire.Message{Topic: "cam/evil/info", Payload: make([]byte, maxInfo+1), Retained: true})
		b.take()
		b.pass(2 * time.Second)
		b.want("two cameras", hubTopic, "device/camqtt_back/config", frontTopic)
		var told struct {
			Device struct {
				URL string `json:"configuration_url"`
			}
		}
		if err := json.Unmarshal([]byte(b.kept["homeassistant/"+frontTopic]), &told); err != nil || told.Device.URL != "http://hub:8080/#front" {
			t.Errorf("link %+v, %v", told, err)
		}
		b.publish(wire.Message{Topic: "cam/front/info", Retained: true})
		b.take()
		b.pass(2 * time.Second)
		b.want("forgotten", hubTopic, "-"+frontTopic)
		// While the hub is away a camera is forgotten; nobody clears its discovery.
		hub.disconnect()
		delete(b.kept, "cam/back/info")
		hub.connect()
		b.pass(50 * time.Second)
		b.want("it may still come")
		b.pass(20 * time.Second)
		b.want("it has not", hubTopic, "-device/camqtt_back/config")
	})
}

func TestHubPutsRightWhatOthersWrite(t *testing.T) {
	inBubble(t, func(b *bubble) {
		hub := b.start(Options{})
		hub.connect()
		b.publish(infoMessage(t, info("front")))
		b.pass(2 * time.Second)
		b.take()
		for range 30 { // somebody who does not give in
			b.publish(wire.Message{Topic: "homeassistant/" + frontTopic, Payload: []byte(`{"mine":true}`), Retained: true})
			b.take()
			b.pass(2 * time.Second)
			if n := len(b.take()); n > 1 {
				t.Errorf("%d messages in 2 s", n)
			}
		}
		b.pass(2 * time.Minute)
		if kept := b.kept["homeassistant/"+frontTopic]; strings.Contains(kept, "mine") {
			t.Error("what somebody else wrote stays")
		}
		b.take()
		b.publish(birth())
		b.take()
		b.pass(10 * time.Second)
		b.want("Home Assistant has started", hubTopic, frontTopic)
	})
}

func TestModesLeaveNothingBehind(t *testing.T) {
	modes := []homeassistant.Mode{homeassistant.Device, homeassistant.Component, homeassistant.Off}
	for _, from := range modes {
		for _, to := range modes {
			for n := range 4 {
				camera, early := []wire.ID{"front", ""}[n%2], n > 1
				inBubble(t, func(b *bubble) {
					i := info("front")
					i.Bridge, i.Host = "cellar", "cellar"
					run := func(m homeassistant.Mode) map[string]string {
						o := Options{Hass: homeassistant.Options{Mode: m}, Camera: camera}
						if camera != "" {
							o.Bridge = NewBridge("cellar")
						}
						c := b.start(o)
						c.early = early
						c.connect()
						if camera != "" {
							c.Info(&i)
						} else {
							b.publish(infoMessage(t, i))
						}
						b.pass(2 * time.Minute)
						c.disconnect()
						kept := maps.Clone(b.kept)
						return kept
					}
					run(from)
					got := run(to)
					clear(b.kept)
					if want := run(to); !maps.Equal(got, want) {
						t.Errorf("camera %q from %s to %s: kept %v, want %v", camera, from, to,
							slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
					}
				})
			}
		}
	}
}

// Home Assistant unloads entities in its own time: new ones under the same unique
// ids must not come at once. What people have set there stays, for nothing is
// deleted before it has been asked to let go.
func TestModesChangeInSteps(t *testing.T) {
	inBubble(t, func(b *bubble) {
		i := info("front")
		c := b.start(Options{Camera: "front", Hass: homeassistant.Options{Mode: homeassistant.Component}})
		c.Info(&i)
		c.connect()
		b.pass(2 * time.Second)
		c.disconnect()
		old := b.take()
		c = b.start(Options{Camera: "front"})
		c.Info(&i)
		c.connect()
		b.pass(1100 * time.Millisecond)
		b.want("to be let go", old...)
		for topic, payload := range b.kept {
			if payload != `{"migrate_discovery": true}` {
				t.Errorf("%s: %s", topic, payload)
			}
		}
		b.pass(800 * time.Millisecond)
		b.want("too early")
		b.pass(300 * time.Millisecond)
		if got := b.take(); len(got) != len(old)+1 || !strings.HasPrefix(got[0], "-") || got[len(old)] != frontTopic {
			t.Errorf("then %v, want %d cleared and %s", got, len(old), frontTopic)
		}
	})
}

// A hub that is restarted in another mode has Home Assistant's connection restarted
// too. It waits until that is back, but not for ever.
func TestHubChangesModeWhenHomeAssistantIsBack(t *testing.T) {
	for _, back := range []bool{true, false} {
		inBubble(t, func(b *bubble) {
			b.publish(infoMessage(t, info("front")))
			b.publish(wire.Message{Topic: "homeassistant/switch/camqtt_front/live/config", Payload: []byte("{}"), Retained: true})
			hub := b.start(Options{})
			hub.connect()
			b.take()
			b.pass(8 * time.Second)
			b.want("the old is let go", hubTopic, "switch/camqtt_front/live/config")
			wait, want := comeBack, []string{"-switch/camqtt_front/live/config", frontTopic}
			if back {
				b.publish(birth())
				b.take()
				wait, want = leastBirth+birthSpread, append([]string{hubTopic}, want...)
			}
			b.pass(wait + time.Second)
			b.want("the new comes", want...)
			b.publish(birth())
			b.take()
			b.pass(10 * time.Second)
			b.want("the old is not mentioned again", hubTopic, frontTopic)
		})
	}
}

func TestBridgeComesFirstAndOnce(t *testing.T) {
	inBubble(t, func(b *bubble) {
		const bridgeTopic = "device/camqtt-cellar/config"
		shared := NewBridge("cellar")
		var all []*client
		for _, id := range []wire.ID{"one", "two"} {
			c := b.start(Options{Camera: id, Bridge: shared})
			i := info(id)
			i.Bridge, i.Host = "cellar", "cellar.example"
			c.connect()
			c.Info(&i)
			all = append(all, c)
		}
		b.pass(3 * time.Second)
		b.want("both cameras", bridgeTopic, "device/camqtt_one/config", "device/camqtt_two/config")
		all[0].disconnect()
		b.publish(birth())
		b.take()
		b.pass(10 * time.Second)
		b.want("the first has gone: the other speaks for the bridge", bridgeTopic, "device/camqtt_two/config")

		hub := b.start(Options{})
		hub.connect()
		for _, id := range []wire.ID{"one", "two"} {
			i := info(id)
			i.Bridge, i.Host = "cellar", "cellar.example"
			b.publish(infoMessage(t, i))
		}
		b.pass(2 * time.Minute)
		b.publish(wire.Message{Topic: "cam/one/info", Retained: true})
		b.pass(2 * time.Second)
		b.take()
		b.publish(wire.Message{Topic: "cam/two/info", Retained: true})
		b.take()
		b.pass(2 * time.Second)
		b.want("the last camera is forgotten", hubTopic, "-"+bridgeTopic, "-device/camqtt_two/config")
	})
}

// Home Assistant may be away when an entity goes: it is said again.
func TestRemovalIsSaidAgain(t *testing.T) {
	inBubble(t, func(b *bubble) {
		i := info("front")
		b.publish(infoMessage(t, i))
		hub := b.start(Options{Hass: homeassistant.Options{Mode: homeassistant.Component}})
		hub.connect()
		b.pass(3 * time.Second)
		i.Caps = nil
		b.publish(infoMessage(t, i))
		b.pass(3 * time.Second)
		b.take()
		b.publish(birth())
		b.take()
		b.pass(5100 * time.Millisecond)
		if got := b.take(); !slices.Contains(got, "-number/camqtt_front/fps/config") {
			t.Errorf("on birth %v", got)
		}
	})
}
