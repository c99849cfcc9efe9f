package node_test

import (
	"strings"
	"testing"
	"time"

	"camqtt/internal/jpeg"
	"camqtt/internal/testkit"
	"camqtt/internal/wire"
	"camqtt/node"
	"camqtt/node/camera"
)

// heal connects again, as a link does, whenever the broker has ended the connection.
func (b *bench) heal(d time.Duration, told node.BrokerLimits) {
	for range d / time.Second {
		b.pass(time.Second)
		b.broker.mu.Lock()
		up := b.broker.up
		b.broker.mu.Unlock()
		if !up {
			b.cut()
			b.node.BrokerLimits(told)
			b.connect()
		}
	}
}

const brokerTakes = 40_000

// large is a camera whose pictures are larger than the broker takes.
func large(t *testing.T, caps ...string) func(*node.Options, *testkit.Camera) {
	big := testkit.JPEG(t, 320, 240, 1, 255)
	if len(big) < brokerTakes || len(big) > 2*brokerTakes {
		t.Fatalf("the picture has %d bytes: want more than %d, and at most twice as many", len(big), brokerTakes)
	}
	return func(_ *node.Options, c *testkit.Camera) {
		c.Prof.Caps, c.Every = caps, 500*time.Millisecond
		c.Picture = func(int) []byte { return big }
	}
}

// A picture over which the connection ends is sent twice at most. It is answered, the
// reason stays in state.error, and no further picture of its size is tried.
func TestBrokerEndsConnectionOverPicture(t *testing.T) {
	for name, told := range map[string]int{"tells nothing": 0, "tells its limit": brokerTakes + 100} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := start(t, large(t, camera.CapQuality))
				defer b.end()
				b.broker.set(func(x *broker) { x.most = brokerTakes })
				b.say("porch/cmd", "snap id=a")
				b.heal(30*time.Second, node.BrokerLimits{MaxPacket: told})
				got := b.broker.take()
				if r := results(t, got); len(r) != 1 || r[0].Code != wire.TooLarge || r[0].ID != "a" || !strings.Contains(r[0].Text, "broker") {
					t.Errorf("results %+v, want too_large with what to set", r)
				}
				if s := state(t, got); s.Error == nil || s.Error.Code != wire.TooLarge {
					t.Errorf("state.error %+v, want too_large", s.Error)
				}
				most := 2
				if told > 0 {
					most = 1
				}
				if b.broker.cuts != most {
					t.Errorf("the connection ended %d times over one picture, want %d", b.broker.cuts, most)
				}
				b.say("porch/cmd", "snap id=b")
				b.heal(30*time.Second, node.BrokerLimits{MaxPacket: told})
				if r := results(t, b.broker.take()); len(r) != 1 || r[0].Code != wire.TooLarge || b.broker.cuts != most {
					t.Errorf("the next snap: %+v, and the connection ended %d times", r, b.broker.cuts)
				}
			})
		})
	}
}

// The pictures of a camera that can be told nothing are made to fit, live ones too.
func TestPictureIsScaledDown(t *testing.T) {
	for _, cmd := range []string{"snap id=a", "start id=a viewer=v for=10m"} {
		t.Run(cmd, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := start(t, large(t))
				defer b.end()
				b.broker.set(func(x *broker) { x.most = brokerTakes })
				b.say("porch/cmd", cmd)
				b.heal(20*time.Second, node.BrokerLimits{})
				b.broker.take()
				if b.broker.cuts != 2 {
					t.Errorf("the connection ended %d times, want 2", b.broker.cuts)
				}
				b.say("porch/cmd", "snap id=b")
				b.heal(20*time.Second, node.BrokerLimits{})
				got := b.broker.take()
				r := results(t, got)
				if len(r) != 1 || !r[0].OK {
					t.Fatalf("results %+v", r)
				}
				for _, m := range of(got, wire.KindSnapshot) {
					if info, err := jpeg.Scan(m.Payload); err != nil || info.Width > 320 || len(m.Payload) > brokerTakes || imageOf(t, m) != r[0].Image {
						t.Errorf("%d bytes, %+v, %v", len(m.Payload), info, err)
					}
				}
				if s := state(t, got); !strings.Contains(s.Warning, "scaled down") || s.Error != nil {
					t.Errorf("warning %q, error %+v", s.Warning, s.Error)
				}
				if b.broker.cuts != 2 {
					t.Errorf("the connection ended %d times, want 2", b.broker.cuts)
				}
			})
		})
	}
}

// A connection that ends in the middle of a stream for another reason lowers nothing.
func TestOutagesDoNotLowerTheLimit(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, large(t, camera.CapQuality))
		defer b.end()
		b.say("porch/cmd", "start viewer=v for=1h")
		for range 5 {
			b.pass(3 * time.Second)
			b.cut()
			b.pass(time.Second)
			b.connect()
		}
		b.broker.take()
		b.pass(10 * time.Second)
		if n := len(of(b.broker.take(), wire.KindFrame)); n != 20 {
			t.Errorf("%d pictures in 10 s after five outages, want 20", n)
		}
	})
}

func TestBrokerWithoutRetainIsSaid(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, nil)
		defer b.end()
		b.cut()
		b.node.BrokerLimits(node.BrokerLimits{NoRetain: true})
		b.broker.take()
		b.connect()
		if s := state(t, b.broker.take()); !strings.Contains(s.Warning, "retained") {
			t.Errorf("warning %q", s.Warning)
		}
	})
}
