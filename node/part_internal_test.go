package node

import (
	"testing"
	"time"

	"camqtt/internal/wire"
)

func TestSchedule(t *testing.T) {
	now, asked := time.Unix(1e9, 0), 0
	s := configured(Options{Name: "Porch"})
	sched := &schedule{settings: &s, ask: func(time.Time) { asked++ }}
	set := func(every time.Duration) {
		s.values[wire.SetSnapEvery] = wire.Change{Setting: wire.SetSnapEvery, Duration: every}
		sched.run(now)
	}
	sched.run(now)
	if !sched.next().IsZero() {
		t.Errorf("without a schedule the next is at %s", sched.next())
	}
	set(time.Minute)
	if !sched.next().Equal(now.Add(time.Minute)) {
		t.Errorf("next at %s", sched.next())
	}
	now = now.Add(time.Minute)
	sched.run(now)
	sched.run(now)
	if asked != 1 || !sched.next().Equal(now.Add(time.Minute)) {
		t.Errorf("asked %d times, next at %s", asked, sched.next())
	}
	set(0)
	if !sched.next().IsZero() {
		t.Errorf("a schedule that was switched off is next at %s", sched.next())
	}
}

func TestSleep(t *testing.T) {
	now, published := time.Unix(1e9, 0), 0
	n := &newest{}
	s := &sleep{sleepy: true, asleep: true, newest: n, publish: func() { published++ }}
	s.run(now)
	if published != 0 || s.status() != wire.Sleeping {
		t.Errorf("before a picture: %s, published %d times", s.status(), published)
	}
	n.at = now
	s.run(now)
	if published != 1 || s.status() != wire.Online || !s.next().Equal(now.Add(awake)) {
		t.Errorf("after a picture: %s, published %d times, next at %s", s.status(), published, s.next())
	}
	s.run(s.next())
	if published != 2 || s.status() != wire.Sleeping || !s.next().IsZero() {
		t.Errorf("later: %s, published %d times, next at %s", s.status(), published, s.next())
	}
}

func TestHelloAll(t *testing.T) {
	now, answered := time.Unix(1e9, 0), 0
	h := &helloAll{answer: func(all []request) { answered += len(all) }}
	for range maxPending + 1 {
		h.add(request{at: now})
	}
	at := h.next()
	if at.Before(now) || at.After(now.Add(helloSpread)) {
		t.Errorf("answered at %s, want within %s of %s", at, helloSpread, now)
	}
	h.run(at)
	if answered != maxPending || !h.next().IsZero() {
		t.Errorf("%d answered, next at %s", answered, h.next())
	}
}

func TestFirstLook(t *testing.T) {
	now, asked := time.Unix(1e9, 0), 0
	f := &firstLook{spread: time.Minute, ask: func(time.Time) { asked++ }}
	f.plan(now)
	at := f.next()
	f.run(at)
	if asked != 1 || !f.next().IsZero() {
		t.Errorf("asked %d times, next at %s", asked, f.next())
	}
	f.seen()
	f.plan(at)
	if !f.next().IsZero() {
		t.Error("planned though a picture has come")
	}
	f.reset()
	f.plan(at)
	if f.next().IsZero() {
		t.Error("not planned after a reset")
	}
}

func TestEarlier(t *testing.T) {
	var zero time.Time
	a, b := time.Unix(1, 0), time.Unix(2, 0)
	for _, c := range [][3]time.Time{{a, b, a}, {b, a, a}, {zero, b, b}, {a, zero, a}, {zero, zero, zero}} {
		if got := earlier(c[0], c[1]); !got.Equal(c[2]) {
			t.Errorf("earlier(%s, %s) = %s", c[0], c[1], got)
		}
	}
}
