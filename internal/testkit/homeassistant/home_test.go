package homeassistant_test

import (
	"fmt"
	"testing"

	discovery "camqtt/internal/homeassistant"
	"camqtt/internal/testkit"
	"camqtt/internal/testkit/homeassistant"
	"camqtt/internal/wire"
)

// A test may end while Home Assistant still has discovery to look at, after a restart
// too: that it gets no further is no trouble.
func TestEndInTheMiddle(t *testing.T) {
	m := testkit.StartMosquitto(t)
	c := testkit.DialMQTT(t, testkit.MQTTOptions{Addr: m.Addr, ID: "cameras"})
	for n := range 50 {
		msgs, err := discovery.Options{}.Messages(wire.Info{ID: wire.ID(fmt.Sprintf("camera-%d", n)), Source: "test", Caps: []string{"fps"}})
		if err != nil {
			t.Fatal(err)
		}
		for _, msg := range msgs {
			if err := c.Publish(msg); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 5 {
		t.Run("ends", func(t *testing.T) {
			homeassistant.Start(t, homeassistant.Options{Addr: m.Addr}).Restart()
		})
	}
}
