package node

import (
	"fmt"
	"testing"
	"time"

	"camqtt/internal/wire"
)

// counted is a callback that counts its calls.
func counted() (calls *int, call func()) {
	n := new(int)
	return n, func() { *n++ }
}

func TestLeases(t *testing.T) {
	now := time.Unix(1e9, 0)
	changes, changed := counted()
	l := newLeases(changed)
	if l.any() || !l.next().IsZero() || l.rate(10) != 0 {
		t.Errorf("without leases: %v, next %s, rate %g", l.any(), l.next(), l.rate(10))
	}
	l.grant("a", lease{fps: 2, until: now.Add(time.Minute)})
	l.grant("b", lease{fps: 5, until: now.Add(time.Hour)})
	l.grant(wire.Manual, lease{fps: 1})
	if got := l.rate(10); got != 5 {
		t.Errorf("rate %g, want that of the fastest", got)
	}
	if got := l.rate(4); got != 4 {
		t.Errorf("rate %g, want at most 4", got)
	}
	if got := l.next(); !got.Equal(now.Add(time.Minute)) {
		t.Errorf("next %s, want the end of the first lease", got)
	}
	l.run(now.Add(time.Minute))
	if len(l.held) != 2 || !l.next().Equal(now.Add(time.Hour)) {
		t.Errorf("%d leases, next %s", len(l.held), l.next())
	}
	if note := l.end("a"); note != "this viewer held no lease" {
		t.Errorf("end of an ended lease: %q", note)
	}
	before := *changes
	l.end("")
	l.end("")
	if l.any() || *changes != before+1 {
		t.Errorf("%d leases after the end of all, %d changes", len(l.held), *changes-before)
	}
}

// Viewers who ask under ever new names share a lease that covers all of them.
func TestLeasesAreBounded(t *testing.T) {
	l := newLeases(func() {})
	for i := range 2 * maxLeases {
		l.grant(fmt.Sprint(i), lease{fps: float64(1 + i)})
	}
	if len(l.held) != maxLeases+1 || l.rate(1e6) != 2*maxLeases {
		t.Errorf("%d leases, rate %g", len(l.held), l.rate(1e6))
	}
}
