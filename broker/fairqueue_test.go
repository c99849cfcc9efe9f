package broker

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"camqtt/broker/internal/sharedbuffer"
)

func flightOf(account, what string, size int, command bool) *inflight {
	return &inflight{m: &message{topic: what, account: account, command: command, payload: sharedbuffer.Of(make([]byte, size))}}
}

func always(*inflight) bool { return true }

// Accounts take turns, and each one's messages keep their order.
func TestFairQueueTakesTurns(t *testing.T) {
	var q fairQueue
	for i := range 4 {
		q.push(flightOf("mob", fmt.Sprint("mob", i), 10, false))
	}
	q.push(flightOf("ann", "ann0", 10, false))
	q.push(flightOf("bob", "bob0", 10, false))
	var got []string
	for f := q.pop(always); f != nil; f = q.pop(always) {
		got = append(got, f.m.topic)
	}
	if want := []string{"mob0", "ann0", "bob0", "mob1", "mob2", "mob3"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if q.n != 0 || q.bytes != 0 || len(q.lines) != 0 {
		t.Errorf("an empty queue has %d messages, %d bytes and %d lines", q.n, q.bytes, len(q.lines))
	}
}

// What is held up in one line does not hold up the others.
func TestFairQueueSkipsWhatMayNotGo(t *testing.T) {
	var q fairQueue
	q.push(flightOf("mob", "command", 1, true))
	q.push(flightOf("ann", "result", 1, false))
	if f := q.pop(func(f *inflight) bool { return !f.m.command }); f == nil || f.m.topic != "result" {
		t.Errorf("got %v, want the result", f)
	}
	if f := q.pop(func(f *inflight) bool { return !f.m.command }); f != nil || q.n != 1 {
		t.Errorf("got %v with %d waiting, want none with 1", f, q.n)
	}
}

// The account that uses most gives way, with what it sent last, and never a command.
func TestFairQueueEvicts(t *testing.T) {
	var q fairQueue
	for i := range 9 {
		q.push(flightOf("mob", fmt.Sprint("mob", i), 100, false))
	}
	q.push(flightOf("ann", "ann0", 100, false))
	if f := q.evict(flightOf("mob", "mob9", 100, false).m, 10, 1000); f != nil {
		t.Errorf("%s gave way to the account that uses most", f.m.topic)
	}
	if f := q.evict(flightOf("bob", "bob0", 100, false).m, 10, 1000); f == nil || f.m.topic != "mob8" {
		t.Errorf("%v gave way, want mob8", f)
	}
	if q.n != 9 || q.bytes != 9*104 {
		t.Errorf("%d messages of %d bytes are left", q.n, q.bytes)
	}
	q = fairQueue{}
	q.push(flightOf("mob", "cmd", 100, true))
	q.push(flightOf("mob", "cmd", 100, true))
	if f := q.evict(flightOf("bob", "bob0", 10, false).m, 2, 1000); f != nil {
		t.Errorf("a command gave way")
	}
}

// Whatever is done, the sums are those of what is in the lines, and nothing is lost.
func TestFairQueueSums(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q fairQueue
		in, out := 0, 0
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			account := fmt.Sprint(rapid.IntRange(0, 3).Draw(t, "account"))
			f := flightOf(account, "t", rapid.IntRange(0, 50).Draw(t, "size"), rapid.Bool().Draw(t, "command"))
			switch rapid.IntRange(0, 3).Draw(t, "what") {
			case 0, 1:
				q.push(f)
				in++
			case 2:
				if q.pop(func(f *inflight) bool { return !f.m.command || account != "0" }) != nil {
					out++
				}
			case 3:
				if q.evict(f.m, 10, 100) != nil {
					out++
				}
				q.remove(func(f *inflight) bool { return f.m.size() == 7 }, func(*inflight) { out++ })
			}
			n, bytes := 0, 0
			for _, l := range q.turns {
				if len(l.waiting) == 0 || q.lines[l.account] != l {
					t.Fatalf("the line of %s is empty or unknown", l.account)
				}
				for _, f := range l.waiting {
					n++
					bytes += f.m.size()
				}
			}
			if n != q.n || bytes != q.bytes || n != in-out || len(q.turns) != len(q.lines) {
				t.Fatalf("%d messages of %d bytes in %d lines, but %d of %d are counted, and %d are expected", n, bytes, len(q.turns), q.n, q.bytes, in-out)
			}
		}
	})
}
