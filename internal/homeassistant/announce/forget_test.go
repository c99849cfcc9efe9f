package announce

import (
	"slices"
	"strings"
	"testing"
	"time"

	"camqtt/internal/homeassistant"
	"camqtt/internal/wire"
)

func status(id wire.ID, s string) wire.Message {
	return wire.Message{Topic: "cam/" + string(id) + "/status", Payload: []byte(s), QoS: 1, Retained: true}
}

// deleted clears every discovery message that is kept of a camera, as Home Assistant
// does when a person deletes the device.
func (b *bubble) deleted(id wire.ID) {
	for topic := range b.kept {
		if strings.Contains(topic, "/camqtt_"+string(id)+"/") {
			b.publish(wire.Message{Topic: topic, Retained: true})
		}
	}
}

// A device that is deleted in Home Assistant comes again if there is such a camera.
// If it is offline, that was how to forget it.
func TestDeletingInHomeAssistant(t *testing.T) {
	for _, mode := range []homeassistant.Mode{homeassistant.Device, homeassistant.Component} {
		for _, c := range []struct {
			status string
			stays  bool
		}{{wire.Online, true}, {wire.Sleeping, true}, {wire.Offline, false}, {"", false}} {
			t.Run(string(mode)+" "+c.status, func(t *testing.T) {
				inBubble(t, func(b *bubble) {
					hub := b.start(Options{Hass: homeassistant.Options{Mode: mode}})
					hub.connect()
					b.publish(infoMessage(t, info("front")), wire.Message{Topic: "cam/front/snapshot", Payload: []byte("jpeg"), Retained: true})
					if c.status != "" {
						b.publish(status("front", c.status))
					}
					b.pass(2 * time.Second)
					described := len(b.kept)
					b.deleted("front")
					b.take()
					b.pass(4 * time.Second)
					if now := b.take(); c.stays && len(now) != 0 || !c.stays && !slices.Contains(now, "-cam/front/snapshot") {
						t.Errorf("within 4 s %v", now)
					}
					b.pass(2 * time.Second)
					if c.stays && len(b.kept) != described {
						t.Errorf("it is not announced again: %v", b.kept)
					}
					for topic := range b.kept {
						if !c.stays && topic != hubTopic {
							t.Errorf("%s is kept", topic)
						}
					}
				})
			})
		}
	}
}

// One entity of several that is deleted stays away: that is no device.
func TestDeletingOneEntity(t *testing.T) {
	inBubble(t, func(b *bubble) {
		hub := b.start(Options{Hass: homeassistant.Options{Mode: homeassistant.Component}})
		hub.connect()
		b.publish(infoMessage(t, info("front")), status("front", wire.Offline))
		b.pass(2 * time.Second)
		b.publish(wire.Message{Topic: "homeassistant/switch/camqtt_front/live/config", Retained: true})
		b.take()
		b.pass(time.Minute - 3*time.Second)
		b.want("one entity was deleted")
	})
}

func TestNodeAnnouncesAgainWhatWasDeleted(t *testing.T) {
	inBubble(t, func(b *bubble) {
		c := b.start(Options{Camera: "front"})
		i := info("front")
		c.Info(&i)
		c.connect()
		b.pass(2 * time.Second)
		b.deleted("front")
		b.take()
		b.pass(4 * time.Second)
		b.want("not at once: Home Assistant is still deleting")
		b.pass(2 * time.Second)
		b.want("5 s later", frontTopic)
	})
}

// Home Assistant remembers a device until it is told that it is gone, and what it has
// never been told since it started it does not look for: so it is told what there was,
// and then that there is nothing. That outlives a restart of the hub.
func TestForgottenWhileHomeAssistantWasAway(t *testing.T) {
	inBubble(t, func(b *bubble) {
		hub := b.start(Options{})
		hub.connect()
		b.publish(infoMessage(t, info("front")))
		b.pass(2 * time.Second)
		b.publish(wire.Message{Topic: "cam/front/info", Retained: true})
		b.pass(2 * time.Second)
		if len(b.kept) != 1 || !strings.Contains(b.kept[hubTopic], `"forgotten":["front"]`) {
			t.Errorf("kept %v", b.kept)
		}
		hub.disconnect()
		again := b.start(Options{})
		again.connect()
		b.pass(2 * time.Minute)
		b.take()
		b.publish(birth())
		b.take()
		b.pass(leastBirth + birthSpread + time.Second)
		if got := b.take(); !slices.Contains(got, frontTopic) {
			t.Errorf("first %v, want the camera described", got)
		}
		b.pass(believe)
		if got := b.take(); !slices.Contains(got, "-"+frontTopic) {
			t.Errorf("then %v, want it cleared", got)
		}
		if len(b.kept) != 1 || strings.Contains(b.kept[hubTopic], "forgotten") {
			t.Errorf("kept %v", b.kept)
		}
		b.publish(birth())
		b.take()
		b.pass(10 * time.Second)
		b.want("once is enough", hubTopic, "-"+frontTopic)
	})
}

// A camera that is back is not forgotten.
func TestForgottenCameraComesBack(t *testing.T) {
	inBubble(t, func(b *bubble) {
		hub := b.start(Options{})
		hub.connect()
		b.publish(infoMessage(t, info("front")))
		b.pass(2 * time.Second)
		b.publish(wire.Message{Topic: "cam/front/info", Retained: true})
		b.pass(2 * time.Second)
		b.publish(infoMessage(t, info("front")))
		b.pass(2 * time.Second)
		b.publish(birth())
		b.pass(time.Minute)
		if b.kept["homeassistant/"+frontTopic] == "" || strings.Contains(b.kept[hubTopic], "forgotten") {
			t.Errorf("kept %v", b.kept)
		}
	})
}
