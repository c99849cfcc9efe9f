package node_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"camqtt/internal/wire"
)

// lastStats returns the newest counters.
func lastStats(t *testing.T, all []sent) (s wire.Stats) {
	t.Helper()
	got := of(all, wire.KindStats)
	if len(got) == 0 {
		t.Fatal("no stats were published")
	}
	if err := json.Unmarshal(got[len(got)-1].Payload, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// Every command gets one result, however many come at once.
func TestOneResultPerCommand(t *testing.T) {
	for _, c := range []struct {
		topic, cmd string
		n          int
	}{{"_all/cmd", "hello", 300}, {"porch/cmd", "stop", 2000}, {"porch/cmd", "hello", 1000}, {"porch/cmd", "stop", 1000}, {"porch/cmd", "nonsense", 1000}} {
		t.Run(c.cmd, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := start(t, nil)
				defer b.end()
				b.broker.set(func(x *broker) { x.slow = 100 * time.Millisecond })
				for i := range c.n {
					b.node.Handle(wire.Message{Topic: "cam/" + c.topic, Payload: []byte(c.cmd)})
					if i%500 == 499 {
						b.pass(0)
					}
				}
				b.pass(time.Minute)
				all := b.broker.take()
				if n := len(results(t, all)); n != c.n {
					t.Errorf("%d results of %d commands", n, c.n)
				}
				if s := lastStats(t, all); s.Unanswered != 0 || s.Commands != uint64(c.n) {
					t.Errorf("stats count %d commands, %d of them without a result of their own", s.Commands, s.Unanswered)
				}
			})
		})
	}
}

// On a connection that is far too slow for what comes each id gets an answer, and what
// gets none of its own is counted.
func TestFloodOnSlowLine(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, nil)
		defer b.end()
		b.broker.set(func(x *broker) { x.slow = 500 * time.Millisecond })
		const n, ids = 30_000, 1500
		for i := range n {
			cmd := "stop viewer=v"
			if i%2 == 0 {
				cmd = fmt.Sprintf("stop viewer=v id=%d", i/2%ids)
			}
			b.node.Handle(wire.Message{Topic: "cam/porch/cmd", Payload: []byte(cmd)})
			if i%1000 == 999 {
				b.pass(10 * time.Millisecond)
			}
		}
		b.node.Handle(wire.Message{Topic: "cam/porch/set/fps", Payload: []byte("3")})
		b.pass(5 * time.Minute)
		all := b.broker.take()
		answers, busy := map[string]int{}, 0
		for _, r := range results(t, all) {
			answers[r.ID]++
			if r.Code == wire.Busy {
				busy++
			}
		}
		for i := range ids {
			if answers[fmt.Sprint(i)] == 0 {
				t.Fatalf("id %d got no answer", i)
			}
		}
		if answers[""] == 0 || busy == 0 {
			t.Errorf("%d answers without id, %d with busy", answers[""], busy)
		}
		total := 0
		for _, n := range answers {
			total += n
		}
		if s := lastStats(t, all); s.Commands != n+1 || uint64(total)+s.Unanswered != n+1 {
			t.Errorf("%d results, and stats count %d without one of %d; want %d together", total, s.Unanswered, s.Commands, n+1)
		}
	})
}
