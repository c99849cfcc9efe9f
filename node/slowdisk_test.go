package node_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"camqtt/internal/wire"
)

// Settings that come while the disk is busy are carried out in their order, each with
// one result, and the last word counts.
func TestSettingsWaitForTheDisk(t *testing.T) {
	bubble(t, func(t *testing.T) {
		d := &disk{slow: time.Second}
		b := kept(t, d, nil)
		b.broker.take()
		b.say("porch/set", `{"privacy":"on","id":"1"}`)
		b.say("porch/set", `{"fps":3,"id":"2"}`)
		b.say("porch/set", `{"privacy":"off","id":"3"}`)
		b.say("porch/set", `{"fps":4,"id":"4"}`)
		b.say("porch/set", `{"colour":"red","id":"5"}`)
		b.say("porch/set", `{"privacy":"on","id":"6"}`)
		b.pass(30 * time.Second)
		var ids []string
		got := b.broker.take()
		for _, r := range sets(t, got) {
			ids = append(ids, r.ID)
			if r.OK != (r.ID != "5") {
				t.Errorf("result %+v", r)
			}
		}
		if !slices.Equal(ids, []string{"1", "2", "3", "4", "5", "6"}) {
			t.Errorf("results of %v", ids)
		}
		if !slices.Equal(d.writes, []bool{true, false, true}) || !state(t, got).Privacy {
			t.Errorf("written %v, state %+v", d.writes, state(t, got))
		}
		b.end()
	})
}

// So many as could fill the memory do not wait.
func TestNotTooManyWaitForTheDisk(t *testing.T) {
	bubble(t, func(t *testing.T) {
		d := &disk{slow: time.Hour}
		b := kept(t, d, nil)
		b.broker.take()
		for range 300 {
			b.say("porch/set/privacy", "on")
		}
		b.pass(time.Minute)
		r := sets(t, b.broker.take())
		if len(r) != 43 || r[0].Code != wire.Busy || r[0].OK {
			t.Errorf("%d results %+v", len(r), r[:min(1, len(r))])
		}
		d.mu.Lock()
		d.slow = 0
		d.mu.Unlock()
		b.pass(time.Hour)
		if r := sets(t, b.broker.take()); len(r) != 257 {
			t.Errorf("%d results", len(r))
		}
		b.end()
	})
}

// A disk that hangs keeps nobody waiting but who has asked for it: the camera is
// closed, the node lives, and people are told.
func TestDiskThatHangs(t *testing.T) {
	bubble(t, func(t *testing.T) {
		d := &disk{slow: 10 * time.Minute}
		b := kept(t, d, nil)
		b.say("porch/cmd", "start viewer=w for=1h")
		b.pass(2 * time.Second)
		b.say("porch/set/privacy", "on")
		b.pass(time.Second)
		b.broker.take()
		b.pass(time.Minute)
		if err := b.node.Alive(t.Context()); err != nil {
			t.Error(err)
		}
		got := b.broker.take()
		if s := state(t, got); s.Privacy || !strings.Contains(s.Warning, "in force") || len(of(got, wire.KindStats)) == 0 || shown(got) != 0 {
			t.Errorf("state %+v, %v", s, kinds(got))
		}
		if n := b.camera.Open.Load(); n != 0 {
			t.Error("the camera is open")
		}
		b.pass(10 * time.Minute)
		got = b.broker.take()
		if r := sets(t, got); len(r) != 1 || !r[0].OK || !state(t, got).Privacy || state(t, got).Warning != "" {
			t.Errorf("results %+v, state %+v", r, state(t, got))
		}
		b.end()
	})
}

// Who asked for privacy is answered when the node stops meanwhile, with the truth.
func TestStoppedWhileWriting(t *testing.T) {
	for name, c := range map[string]struct {
		slow time.Duration
		code wire.Code
	}{
		"written in time": {200 * time.Millisecond, wire.OK},
		"not in time":     {10 * time.Second, wire.NoCamera},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				d := &disk{slow: c.slow}
				b := kept(t, d, nil)
				b.say("porch/set/privacy", "on")
				b.say("porch/set", `{"fps":3,"id":"f"}`)
				b.end()
				r := sets(t, b.broker.take())
				if len(r) != 2 || r[0].Code != c.code || r[0].OK != (c.code == wire.OK) || r[1].Code != wire.NoCamera || r[1].ID != "f" {
					t.Errorf("results %+v", r)
				}
				if !d.holds() {
					t.Error("Serve has returned before the disk has answered")
				}
			})
		})
	}
}
