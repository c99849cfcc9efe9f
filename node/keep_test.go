package node_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"camqtt/internal/testkit"
	"camqtt/internal/wire"
	"camqtt/node"
	"camqtt/node/camera"
)

// disk stands for what outlives a node. It can be slow, full or damaged.
type disk struct {
	mu      sync.Mutex
	on      bool
	slow    time.Duration
	full    error // of writing
	damaged error // of reading
	writes  []bool
	memory  []byte
	saves   int // how often memory was written
}

func (d *disk) Settings() ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.memory, d.damaged
}

func (d *disk) SetSettings(b []byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.full == nil {
		d.memory = b
		d.saves++
	}
	return d.full
}

func (d *disk) Private() (bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.on, d.damaged
}

func (d *disk) SetPrivate(on bool) error {
	d.mu.Lock()
	slow := d.slow
	d.mu.Unlock()
	time.Sleep(slow)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.full == nil {
		d.on = on
		d.writes = append(d.writes, on)
	}
	return d.full
}

func (d *disk) holds() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.on
}

// kept starts a node that has a disk.
func kept(t *testing.T, d *disk, change func(*node.Options, *testkit.Camera)) *bench {
	t.Helper()
	return start(t, func(o *node.Options, c *testkit.Camera) {
		o.Store = d
		if change != nil {
			change(o, c)
		}
	})
}

// sets returns the results of settings among messages.
func sets(t *testing.T, all []sent) (got []wire.Result) {
	t.Helper()
	for _, r := range results(t, all) {
		if r.Cmd == "set" {
			got = append(got, r)
		}
	}
	return got
}

// The camera closes at once, but nobody is told that it is private before the disk
// has it; and it opens only when the disk has forgotten.
func TestPrivacyIsWrittenFirst(t *testing.T) {
	bubble(t, func(t *testing.T) {
		d := &disk{slow: 3 * time.Second}
		b := kept(t, d, nil)
		b.say("porch/cmd", "start viewer=w for=1h")
		b.pass(2 * time.Second)
		b.say("porch/set/privacy", "on")
		b.pass(500 * time.Millisecond)
		b.broker.take()
		b.say("porch/cmd", "snap id=s1")
		b.pass(2 * time.Second)
		got := b.broker.take()
		if n, open := shown(got), b.camera.Open.Load(); n != 0 || open != 0 {
			t.Errorf("while the disk is busy %d pictures left, camera open: %d", n, open)
		}
		if r := results(t, got); len(r) != 1 || r[0].ID != "s1" || r[0].Code != wire.Privacy {
			t.Errorf("while the disk is busy: results %+v", r)
		}
		if len(of(got, wire.KindState)) > 0 && state(t, got).Privacy {
			t.Error("state says privacy before the disk has it")
		}
		b.pass(2 * time.Second)
		got = b.broker.take()
		if r := sets(t, got); len(r) != 1 || !r[0].OK || r[0].Text != "privacy set" || !state(t, got).Privacy || !d.holds() {
			t.Errorf("results %+v, state %+v, disk %v", r, state(t, got), d.holds())
		}

		b.say("porch/set", `{"privacy":"off","fps":5,"id":"o1"}`)
		b.say("porch/cmd", "snap id=s2")
		b.pass(2 * time.Second)
		got = b.broker.take()
		if r := results(t, got); len(r) != 1 || r[0].ID != "s2" || r[0].Code != wire.Privacy || b.camera.Open.Load() != 0 {
			t.Errorf("before the disk has forgotten: results %+v, camera open: %d", r, b.camera.Open.Load())
		}
		b.pass(2 * time.Second)
		b.say("porch/cmd", "snap id=s3")
		b.pass(2 * time.Second)
		got = b.broker.take()
		r := results(t, got)
		if len(r) != 2 || r[0].ID != "o1" || !r[0].OK || r[1].ID != "s3" || !r[1].OK || state(t, got).Privacy || d.holds() {
			t.Errorf("results %+v, state %+v, disk %v", r, state(t, got), d.holds())
		}
		b.end()
	})
}

// A node that was private begins as one, whatever wants pictures of its camera, and
// its first state says so.
func TestPrivacyOutlivesTheNode(t *testing.T) {
	sources := map[string]func(*node.Options, *testkit.Camera){
		"scheduled": func(o *node.Options, _ *testkit.Camera) { o.Settings = settings(t, "snap_every=1s") },
		"sends when it likes": func(_ *node.Options, c *testkit.Camera) {
			c.Prof = camera.Profile{Unasked: true, Deliberate: true}
		},
	}
	for name, change := range sources {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				d := &disk{on: true}
				b := kept(t, d, change)
				first := of(b.broker.take(), wire.KindState)
				if len(first) != 1 || !strings.Contains(string(first[0].Payload), `"privacy":true`) {
					t.Errorf("first state %v", first)
				}
				b.say("porch/cmd", "snap id=a max_age=1h")
				b.say("porch/cmd", "start id=b")
				b.cut()
				b.connect()
				b.pass(time.Minute)
				got := b.broker.take()
				if n, opens := shown(got), b.camera.Opens.Load(); n != 0 || opens != 0 {
					t.Errorf("%d pictures left, the camera was opened %d times", n, opens)
				}
				r := results(t, got)
				if len(r) != 2 || r[0].Code != wire.Privacy || r[1].Code != wire.Privacy {
					t.Errorf("results %+v", r)
				}
				b.end()
				if !d.holds() {
					t.Error("forgotten when the node ended")
				}

				b = kept(t, d, change)
				b.broker.take()
				b.say("porch/set/privacy", "off")
				b.pass(5 * time.Second)
				if got := b.broker.take(); shown(got) == 0 || state(t, got).Privacy || d.holds() {
					t.Errorf("after off: %v, disk %v", kinds(got), d.holds())
				}
				b.end()
			})
		})
	}
}

// A disk that cannot be written does not keep the camera open, but people are told.
func TestPrivacyThatCannotBeKept(t *testing.T) {
	bubble(t, func(t *testing.T) {
		d := &disk{full: errors.New("disk full. Try: a larger one")}
		b := kept(t, d, func(_ *node.Options, c *testkit.Camera) { c.Prof.Warning = "it squints" })
		b.broker.take()
		b.say("porch/set/privacy", "on")
		b.pass(2 * time.Second)
		got := b.broker.take()
		const want = "privacy will not survive a restart: disk full. Try: a larger one"
		if r := sets(t, got); len(r) != 1 || !r[0].OK || r[0].Text != "privacy set; but "+want {
			t.Errorf("results %+v", r)
		}
		if s := state(t, got); !s.Privacy || s.Warning != "it squints; "+want {
			t.Errorf("state %+v", s)
		}
		d.mu.Lock()
		d.full = nil
		d.mu.Unlock()
		b.say("porch/set/privacy", "on")
		b.pass(2 * time.Second)
		got = b.broker.take()
		if s := state(t, got); !s.Privacy || s.Warning != "it squints" || !d.holds() {
			t.Errorf("asked again: state %+v, disk %v", s, d.holds())
		}
		b.end()
	})
}

// An idle camera's state says at once that it is private: nothing has been said before
// that would have it wait its second.
func TestPrivacyIsSaidAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := kept(t, &disk{slow: 10 * time.Millisecond}, nil)
		b.pass(2 * time.Second)
		b.broker.take()
		b.say("porch/set/privacy", "on")
		b.pass(50 * time.Millisecond)
		if s := of(b.broker.take(), wire.KindState); len(s) != 1 || !strings.Contains(string(s[0].Payload), `"privacy":true`) {
			t.Errorf("states %v", s)
		}
		b.end()
	})
}

// What cannot be forgotten stays in force: a restart would be a surprise.
func TestPrivacyThatCannotBeForgotten(t *testing.T) {
	bubble(t, func(t *testing.T) {
		d := &disk{on: true, full: errors.New("read-only. Try: another")}
		b := kept(t, d, nil)
		b.broker.take()
		b.say("porch/set", `{"privacy":false,"fps":5}`)
		b.say("porch/cmd", "snap")
		b.pass(2 * time.Second)
		got := b.broker.take()
		if r := sets(t, got); len(r) != 1 || r[0].OK || r[0].Code != wire.Privacy || r[0].Text != "privacy stays on: read-only. Try: another" {
			t.Errorf("results %+v", r)
		}
		if n := len(of(got, wire.KindInfo)); n != 0 || shown(got) != 0 || b.camera.Opens.Load() != 0 {
			t.Errorf("something was set, or the camera opened: %v", kinds(got))
		}
		b.say("porch/cmd", "hello")
		b.pass(time.Second)
		if s := state(t, b.broker.take()); !s.Privacy {
			t.Errorf("state %+v", s)
		}
		b.end()
	})
}

// Nobody knows whether the camera was private: then it is, and the state says what to
// do until somebody decides.
func TestPrivacyInDoubt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		d := &disk{damaged: errors.New("x.private is damaged. Try: privacy=off")}
		b := kept(t, d, nil)
		s := state(t, b.broker.take())
		if !s.Privacy || s.Error == nil || s.Error.Code != wire.Config || s.Error.Text != "x.private is damaged. Try: privacy=off" {
			t.Errorf("state %+v", s)
		}
		b.say("porch/cmd", "snap")
		b.pass(time.Second)
		if r := results(t, b.broker.take()); len(r) != 1 || r[0].Code != wire.Privacy {
			t.Errorf("results %+v", r)
		}
		b.say("porch/set/privacy", "off")
		b.pass(2 * time.Second)
		if s := state(t, b.broker.take()); s.Privacy || s.Error != nil {
			t.Errorf("after off: state %+v", s)
		}
		b.say("porch/set/privacy", "on")
		b.pass(2 * time.Second)
		if s := state(t, b.broker.take()); !s.Privacy || s.Error != nil {
			t.Errorf("after on: state %+v", s)
		}
		b.end()
	})
}

// A node that stands by is told of privacy by what the other is told, and steps in
// with it.
func TestStandingByFollowsPrivacy(t *testing.T) {
	bubble(t, func(t *testing.T) {
		d := &disk{}
		b := kept(t, d, nil)
		other := func(kind wire.Kind, payload string) {
			b.say("porch/"+string(kind), payload)
		}
		other(wire.KindStats, `{"instance":"00000000","every":30}`)
		b.pass(time.Second)
		b.broker.take()
		b.say("porch/set", `{"privacy":"on","fps":1}`)
		b.pass(5 * time.Second)
		if got := b.broker.take(); len(of(got, wire.KindResult)) != 0 {
			t.Errorf("it answers: %v", kinds(got))
		}
		other(wire.KindStatus, wire.Offline)
		b.pass(time.Second)
		got := b.broker.take()
		if s := state(t, got); !s.Privacy || !d.holds() {
			t.Errorf("stepped in with state %+v, disk %v", s, d.holds())
		}
		if i := of(got, wire.KindInfo); len(i) != 1 || !strings.Contains(string(i[0].Payload), `"max_fps":10`) {
			t.Errorf("info %v: other settings are the other node's", i)
		}
		b.end()
	})
}
