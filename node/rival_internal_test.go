package node

import (
	"testing"
	"time"

	"camqtt/internal/wire"
)

// clocked runs a rival of instance "b" step by step.
type clocked struct {
	*testing.T
	rival
	now time.Time
}

func (c *clocked) want(got, want verdict, why string) {
	c.Helper()
	if got != want {
		c.Errorf("%s after %s: verdict %d, want %d", why, c.now.Sub(time.Unix(0, 0)), got, want)
	}
}

// until lets time pass and returns the first thing that becomes due, ignore when nothing does.
func (c *clocked) until(d time.Duration, skip verdict) verdict {
	for end := c.now.Add(d); ; {
		next := c.next()
		if next.IsZero() || next.After(end) {
			c.now = end
			return ignore
		}
		if next.After(c.now) {
			c.now = next
		}
		if v := c.tick(c.now); v != ignore && v != skip {
			return v
		}
	}
}

func connectedRival(t *testing.T) *clocked {
	c := &clocked{T: t, rival: rival{instance: "b"}, now: time.Unix(0, 0)}
	c.connected(c.now)
	return c
}

func TestRivalStandsByAndStepsIn(t *testing.T) {
	c := connectedRival(t)
	c.want(c.info(wire.Info{Instance: "z"}, c.now), ignore, "an info while connecting")
	c.want(c.stats(wire.Stats{Instance: "z", Every: 30}, c.now), yield, "a heartbeat while connecting")
	c.want(c.until(time.Second, ignore), ask, "standing by")
	for range 10 {
		c.want(c.until(5*time.Second, ask), ignore, "heartbeats come")
		c.stats(wire.Stats{Instance: "z", Every: 5}, c.now)
	}
	heard := c.now
	c.want(c.until(time.Minute, ask), stepIn, "silence")
	if d := c.now.Sub(heard); d > 20*time.Second {
		t.Errorf("it steps in after %s, want 20 s at most", d)
	}
}

// Some brokers deliver what they keep as if it were new: the info of the node's own last
// start must not silence it.
func TestRivalIgnoresLeftovers(t *testing.T) {
	c := connectedRival(t)
	c.want(c.info(wire.Info{Instance: "a"}, c.now), ignore, "a leftover")
	c.want(c.until(10*time.Second, ignore), prove, "the end of connecting")
	c.want(c.stats(wire.Stats{Instance: "b"}, c.now), ignore, "the own heartbeat")
	c.want(c.until(time.Hour, ignore), ignore, "nobody else")
}

// Without the right to read heartbeats an info has to do, and offline to step in.
func TestRivalWithoutRight(t *testing.T) {
	c := connectedRival(t)
	c.info(wire.Info{Instance: "z"}, c.now)
	c.want(c.until(10*time.Second, ignore), prove, "the end of connecting")
	c.want(c.until(10*time.Second, ignore), yield, "no heartbeat is heard, not even the own")
	c.want(c.until(time.Hour, ask), ignore, "silence")
}

func TestRivalOfOneStart(t *testing.T) {
	c := connectedRival(t)
	c.info(wire.Info{Instance: "z"}, c.now)
	c.want(c.until(10*time.Second, ignore), prove, "the end of connecting")
	c.now = c.now.Add(time.Millisecond)
	c.want(c.stats(wire.Stats{Instance: "z"}, c.now), insist, "the heartbeat of a higher instance")
	c.want(c.stats(wire.Stats{Instance: "a"}, c.now), yield, "that of a lower one")
}

func TestRivalIsAskedForHeartbeats(t *testing.T) {
	c := connectedRival(t)
	c.now = c.now.Add(time.Hour)
	c.want(c.info(wire.Info{Instance: "a"}, c.now), insist, "a node that has just started")
	c.want(c.info(wire.Info{Instance: "a", Standby: true}, c.now), insist, "it stands by")
	if d := c.every(30*time.Second, c.now); d != 5*time.Second {
		t.Errorf("a heartbeat every %s, want 5 s", d)
	}
	c.now = c.now.Add(30 * time.Second)
	c.want(c.info(wire.Info{Instance: "a", Standby: true}, c.now), ignore, "it asks again")
	if d := c.every(30*time.Second, c.now.Add(2*time.Minute)); d != 30*time.Second {
		t.Errorf("nobody asks, but a heartbeat every %s", d)
	}
}

// An older program has no instance in its heartbeat, and cannot be asked for more of them.
func TestRivalOfOlderProgram(t *testing.T) {
	c := connectedRival(t)
	c.want(c.stats(wire.Stats{Every: 30}, c.now), yield, "its heartbeat")
	c.want(c.until(89*time.Second, ask), ignore, "two heartbeats are missing")
	c.want(c.until(5*time.Second, ask), stepIn, "three are")
}
