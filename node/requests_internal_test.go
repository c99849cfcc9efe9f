package node

import (
	"slices"
	"testing"
	"time"

	"camqtt/internal/wire"
)

// answers records the results of requests without a picture.
type answers []wire.Code

func (a *answers) add(_ request, code wire.Code, _ string) { *a = append(*a, code) }

func newRequests() (*requests, *answers) {
	got := &answers{}
	return &requests{answer: got.add, hint: func(time.Time) string { return "" }}, got
}

func TestRequests(t *testing.T) {
	now := time.Unix(1e9, 0)
	q, got := newRequests()
	q.add(request{at: now, cmd: wire.Command{Verb: wire.Snap, ID: "fresh"}}, time.Second)
	q.add(request{at: now, cmd: wire.Command{Verb: wire.Still, ID: "old", MaxAge: time.Minute}}, time.Second)
	q.add(request{at: now, lease: true, cmd: wire.Command{Verb: wire.Start}}, time.Second)
	if served := q.take(now.Add(-time.Second), false); len(served) != 1 || served[0].cmd.ID != "old" {
		t.Errorf("a picture of before serves %+v", served)
	}
	if !slices.Equal(*got, answers{wire.OK}) {
		t.Errorf("answers %v, want that of the lease", *got)
	}
	if served := q.take(now, true); len(served) != 0 {
		t.Errorf("on a crowded connection a picture serves %+v", served)
	}
	end := now.Add(time.Second + snapGrace)
	if !q.next().Equal(end) {
		t.Errorf("next %s, want %s", q.next(), end)
	}
	q.run(end)
	if len(q.waiting) != 0 || !slices.Equal(*got, answers{wire.OK, wire.Timeout}) {
		t.Errorf("%d wait, answers %v", len(q.waiting), *got)
	}
}

func TestRequestsAreBounded(t *testing.T) {
	q, got := newRequests()
	for range maxPending + 2 {
		q.add(request{}, 0)
	}
	if len(q.waiting) != maxPending || !slices.Equal(*got, answers{wire.Busy, wire.Busy}) {
		t.Errorf("%d wait, answers %v", len(q.waiting), *got)
	}
	q.refuseAll(wire.Privacy, "")
	if len(q.waiting) != 0 || len(*got) != maxPending+2 {
		t.Errorf("%d wait, %d answers", len(q.waiting), len(*got))
	}
}
