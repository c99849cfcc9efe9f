package announce

import (
	"strings"
	"testing"
	"time"
)

// Two cameras that call their bridge by different names, one of which may lie, do not
// have it described over and over: the camera whose id comes first says it.
func TestBridgeWithTwoNames(t *testing.T) {
	inBubble(t, func(b *bubble) {
		hub := b.start(Options{})
		hub.connect()
		first, second := info("a"), info("b")
		first.Bridge, second.Bridge = "shed", "shed"
		first.Host, second.Host = "shed", "liar"
		b.publish(infoMessage(t, first))
		b.publish(infoMessage(t, second))
		b.pass(5 * time.Second)
		b.take()
		for range 50 {
			second.Caps = append(second.Caps, "size")
			b.publish(infoMessage(t, second))
			b.pass(2 * time.Second)
			for _, topic := range b.take() {
				if strings.Contains(topic, "shed") {
					t.Errorf("described again: %s", b.kept["homeassistant/"+topic])
					return
				}
			}
		}
	})
}
