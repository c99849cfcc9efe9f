package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"camqtt/internal/testkit"
	"camqtt/internal/testkit/homeassistant"
)

// TestDeletingADevice deletes a camera's device in Home Assistant, with the account
// that it has there. An online camera comes again, an offline one is forgotten.
func TestDeletingADevice(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"device", "component"} {
		t.Run(mode, func(t *testing.T) {
			data := t.TempDir()
			word := secretOf(t, "user", "add", "homeassistant", "--role", "homeassistant", "--data", data)
			token := secretOf(t, "user", "add", "front", "--role", "camera", "--data", data)
			admin := secretOf(t, "user", "add", "boss", "--role", "admin", "--token", "--data", data)
			h := startHub(t, "broker.listen=127.0.0.1:0", "broker.data="+data, "broker.anonymous=never", "homeassistant.discovery="+mode)
			p := &place{addr: strings.TrimPrefix(h.mqtt, "mqtt://"), user: "boss", password: admin}
			secret := filepath.Join(t.TempDir(), "front.token")
			if err := os.WriteFile(secret, []byte(token+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			camera := p.camera(t, "front", "mqtt.username=front", "mqtt.password_file="+secret)
			home := homeassistant.Start(t, homeassistant.Options{Addr: p.addr, User: "homeassistant", Password: word, V5: true})
			home.Await("switch.front_live", "off")

			home.Delete("camqtt_front")
			home.Until("the online camera is back", func() bool {
				return slices.Equal(ofCamera(home, "front"), everything("front")) && home.State("switch.front_live") == "off"
			})

			interrupt(t, camera)
			home.Await("camera.front", homeassistant.Unavailable)
			home.Delete("camqtt_front")
			home.Until("the offline camera is forgotten", func() bool {
				return onlyHub(home) && len(p.kept(t, "cam/front/#")) == 0
			})
		})
	}
}

// TestForgetWhileHomeAssistantIsAway: Home Assistant remembers what it has seen, and
// is told when it is back, also after the hub has been restarted.
func TestForgetWhileHomeAssistantIsAway(t *testing.T) {
	t.Parallel()
	h := startHub(t, "broker.listen=127.0.0.1:0", "broker.data="+t.TempDir())
	p := &place{addr: strings.TrimPrefix(h.mqtt, "mqtt://")}
	camera := p.camera(t, "front")
	home := p.home(t, true)
	home.Await("switch.front_live", "off")
	home.Stop()
	interrupt(t, camera)
	must(t, "forget", "front", "--broker", p.url())
	testkit.Until(t, "the hub remembers", func() bool {
		return strings.Contains(p.kept(t, "cam/_hub/discovery")["cam/_hub/discovery"], `"forgotten":["front"]`)
	})
	interrupt(t, h.p)
	h.start()
	if !slices.Contains(home.Registered(), "camera.front") {
		t.Fatal("Home Assistant has forgotten by itself: this shows nothing")
	}
	home.Restart()
	home.Until("forgotten", func() bool { return onlyHub(home) })
}
