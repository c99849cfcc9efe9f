package node_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"camqtt/internal/testkit"
	"camqtt/internal/wire"
	"camqtt/node"
	"camqtt/node/camera"
)

// shown counts the pictures among messages. Empty ones say that there is none.
func shown(all []sent) (n int) {
	for _, m := range all {
		if wire.Kind(strings.TrimPrefix(m.Topic, "cam/porch/")).IsPicture() && len(m.Payload) > 0 {
			n++
		}
	}
	return n
}

// slowToClose is a camera that takes its time to end.
type slowToClose struct {
	*testkit.Camera
	takes time.Duration
}

func (c slowToClose) Stream(ctx context.Context, m camera.Mode, emit func(camera.Frame)) error {
	err := c.Camera.Stream(ctx, m, emit)
	time.Sleep(c.takes)
	return err
}

// The answer to privacy is a promise: the camera is closed by then, and no
// picture comes after it, not even one that was on its way.
func TestPrivacyAnswersWhenItIsTrue(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, func(o *node.Options, c *testkit.Camera) {
			o.Source = slowToClose{c, 3 * time.Second}
		})
		b.broker.set(func(x *broker) { x.slow = 700 * time.Millisecond }) // a bad line
		b.say("porch/cmd", "start viewer=w for=1h")
		b.pass(3 * time.Second)
		b.broker.take()
		b.say("porch/cmd", "snap id=late")
		b.say("porch/set/privacy", "on")
		b.pass(2500 * time.Millisecond)
		for _, r := range results(t, b.broker.take()) {
			if r.Cmd == "set" {
				t.Error("answered while the camera was still open")
			}
		}
		b.pass(10 * time.Second)
		got := b.broker.take()
		after := false
		for _, m := range got {
			_, kind, _ := wire.Base("").Split(m.Topic)
			if kind == wire.KindResult && strings.Contains(string(m.Payload), `"cmd":"set"`) {
				after = true
			}
			if after && kind.IsPicture() {
				t.Errorf("%s after the answer", kind)
			}
		}
		if !after {
			t.Errorf("no answer: %v", kinds(got))
		}
		if s := state(t, got); !s.Privacy {
			t.Errorf("state %+v", s)
		}
		b.end()
	})
}

// What was kept through an outage does not leave once privacy is on, and who
// asked for it is told.
func TestPrivacyThrowsAwayWhatIsKept(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, nil)
		b.broker.take()
		b.broker.set(func(x *broker) { x.fail = true })
		b.say("porch/cmd", "snap id=a1")
		b.pass(time.Second)
		b.say("porch/set/privacy", "on") // heard before the connection is known to be lost
		b.cut()
		b.pass(time.Second)
		b.broker.take()
		b.broker.set(func(x *broker) { x.fail = false })
		b.connect()
		b.pass(5 * time.Second)
		got := b.broker.take()
		if n := shown(got); n != 0 {
			t.Errorf("%d pictures left in privacy: %v", n, kinds(got))
		}
		rs := results(t, got)
		if len(rs) != 2 || rs[0].ID != "a1" || rs[0].Code != wire.Privacy || rs[0].OK {
			t.Errorf("results %+v, want that of the snap to say privacy", rs)
		}
		b.say("porch/set/privacy", "off")
		b.pass(5 * time.Second)
		if n := shown(b.broker.take()); n != 0 {
			t.Errorf("%d pictures of before came after privacy", n)
		}
		b.end()
	})
}

// A camera that turns out to be more than was known before its first picture
// says so, without being asked.
func TestInfoGrowsWithTheCamera(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var told []*wire.Info
		b := start(t, func(o *node.Options, c *testkit.Camera) {
			o.Source = growing{c}
			o.Informed = func(i *wire.Info) { told = append(told, i) }
			o.Bridge = "cellar"
		})
		b.broker.take()
		b.say("porch/cmd", "snap")
		b.pass(time.Second)
		infos := of(b.broker.take(), wire.KindInfo)
		if len(infos) != 1 || !strings.Contains(string(infos[0].Payload), `"sizes":["640x480"]`) || !strings.Contains(string(infos[0].Payload), `"bridge":"cellar"`) {
			t.Errorf("%d infos: %v", len(infos), infos)
		}
		b.pass(time.Minute)
		if infos := of(b.broker.take(), wire.KindInfo); len(infos) != 0 {
			t.Errorf("said again: %v", infos)
		}
		if len(told) != 2 || told[0].Sizes != nil || told[1].Sizes == nil || told[1].StatsEvery != 30 || told[1].TopFPS != 25 {
			t.Errorf("told %+v", told)
		}
		b.end()
	})
}

// growing knows its sizes once it has been open.
type growing struct{ *testkit.Camera }

func (g growing) Profile() camera.Profile {
	p := g.Camera.Profile()
	p.MaxFPS = 25
	if g.Opens.Load() > 0 {
		p.Sizes, p.Caps = []camera.Size{{Width: 640, Height: 480}}, []string{camera.CapSize}
	}
	return p
}

// empties returns the topics that were cleared, and fails on one that is not retained.
func empties(t *testing.T, all []sent) (topics []string) {
	t.Helper()
	for i, m := range all {
		if len(m.Payload) > 0 {
			continue
		}
		if !m.Retained {
			t.Errorf("the empty %s is not retained", m.Topic)
		}
		topics = append(topics, kinds(all[i:i+1])...)
	}
	return topics
}

// Pictures that the broker keeps are cleared when privacy goes on, before its result and
// after every picture; and at a connect, where it went on while the broker was away.
func TestPrivacyClearsPictures(t *testing.T) {
	cleared := []string{"preview", "snapshot", "snapshot/meta"}
	bubble(t, func(t *testing.T) {
		b := start(t, nil)
		defer b.end()
		b.say("porch/cmd", "start viewer=v")
		b.pass(time.Second)
		b.say("porch/cmd", "snap")
		b.pass(time.Second)
		b.broker.set(func(x *broker) { x.slow = 300 * time.Millisecond }) // pictures are on their way
		b.pass(time.Second)
		b.broker.take()
		b.say("porch/set/privacy", "on")
		b.pass(3 * time.Second)
		all := b.broker.take()
		if got := empties(t, all); !slices.Equal(got, cleared) {
			t.Fatalf("cleared %v, want %v", got, cleared)
		}
		empty := slices.IndexFunc(all, func(m sent) bool { return len(m.Payload) == 0 })
		for _, m := range all[empty+3:] {
			if k := wire.Kind(kinds([]sent{m})[0]); k.IsPicture() || k == wire.KindMeta {
				t.Errorf("%s was published after the pictures had been cleared", k)
			}
		}
		if result := slices.IndexFunc(all, func(m sent) bool { return kinds([]sent{m})[0] == "result" }); result < empty {
			t.Errorf("%v: want the result after the pictures have been cleared", kinds(all))
		}
		b.cut()
		b.broker.take()
		b.connect()
		b.pass(time.Second)
		if got := empties(t, b.broker.take()); !slices.Equal(got, cleared) {
			t.Errorf("on connect cleared %v, want %v", got, cleared)
		}
		b.say("porch/set/privacy", "off")
		b.cut()
		b.broker.take()
		b.connect()
		b.pass(time.Second)
		if got := empties(t, b.broker.take()); len(got) > 0 {
			t.Errorf("not private any more, but cleared %v", got)
		}
	})
}
