package push

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"
)

func taken(context.Context, []byte, time.Time) error { return nil }

// TestPace lets through what a camera sends and no more, for each camera alone.
func TestPace(t *testing.T) {
	here := netip.MustParseAddr("192.0.2.1")
	from := []netip.Prefix{netip.PrefixFrom(here, 32)}
	g, err := newGate([]Camera{{ID: "a", From: from, Deliver: taken}, {ID: "b", From: from, Deliver: taken}}, 64)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	through := func(id string, n int) (ok int) {
		for range n {
			if s, err := g.admit(credentials{id: id, from: here, at: now}); err == nil {
				g.leave(s)
				ok++
			} else if !errors.Is(err, errTooOften) {
				t.Fatal(err)
			}
		}
		return ok
	}
	if got := through("a", 1000); got != pictureBurst {
		t.Errorf("%d pictures at once, want %d", got, pictureBurst)
	}
	if got := through("b", 10); got != 10 {
		t.Errorf("another camera: %d of 10", got)
	}
	now = now.Add(time.Second)
	if got := through("a", 1000); got != pictureRate {
		t.Errorf("%d pictures a second later, want %d", got, pictureRate)
	}
}

// TestGuesses limits wrong guesses of an address, and never right tokens. The memory
// of addresses does not grow.
func TestGuesses(t *testing.T) {
	g, err := newGate([]Camera{{ID: "a", Token: "hunter2.hunter2", Deliver: taken}}, 64)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	at := func(a netip.Addr, token string) error {
		s, err := g.admit(credentials{id: "a", token: token, from: a, at: now})
		if err == nil {
			g.leave(s)
		}
		return err
	}
	home := netip.MustParseAddr("2001:db8::1")
	neighbour := netip.MustParseAddr("2001:db8::ffff") // of the same /64
	for range guessBurst {
		if err := at(home, "wrong.wrong"); !errors.Is(err, errRefused) {
			t.Fatal(err)
		}
	}
	if err := at(neighbour, "wrong.wrong"); !errors.Is(err, errGuesses) {
		t.Errorf("from the next address of the same network: %v", err)
	}
	if err := at(neighbour, "hunter2.hunter2"); err != nil {
		t.Errorf("the right token beside wrong ones: %v", err)
	}
	now = now.Add(time.Minute)
	if err := at(neighbour, "wrong.wrong"); !errors.Is(err, errRefused) {
		t.Errorf("a minute later: %v", err)
	}
	a := netip.MustParseAddr("10.0.0.0")
	for range 3 * maxAddresses {
		_ = at(a, "wrong.wrong") // refused
		a = a.Next()
	}
	if n := len(g.guesses); n > maxAddresses {
		t.Errorf("%d addresses are remembered, want at most %d", n, maxAddresses)
	}
}

// TestUploads bounds the pictures that come in at once, of one camera and of all.
func TestUploads(t *testing.T) {
	var cameras []Camera
	for _, id := range []string{"a", "b", "c"} {
		cameras = append(cameras, Camera{ID: id, Token: "hunter2.hunter2", Deliver: taken})
	}
	g, err := newGate(cameras, uploadsEach+1)
	if err != nil {
		t.Fatal(err)
	}
	enter := func(id string) error {
		_, err := g.admit(credentials{id: id, token: "hunter2.hunter2", at: time.Now()})
		return err
	}
	for range uploadsEach {
		if err := enter("a"); err != nil {
			t.Fatal(err)
		}
	}
	if err := enter("a"); !errors.Is(err, errConnections) {
		t.Errorf("one more picture of the same camera: %v", err)
	}
	if err := enter("b"); err != nil {
		t.Errorf("another camera: %v", err)
	}
	if err := enter("c"); !errors.Is(err, errConnections) {
		t.Errorf("beyond what may come in of all cameras: %v", err)
	}
	g.leave(g.byID["a"])
	if err := enter("c"); err != nil {
		t.Errorf("when there is room again: %v", err)
	}
}

// TestRefusals counts every refusal, and has one line in the log for each board and
// reason within a minute.
func TestRefusals(t *testing.T) {
	r := newRefusals()
	now, here := time.Now(), netip.MustParseAddr("192.0.2.1")
	said := 0
	for range 5 {
		for _, s := range []subject{{"a", reasonDamaged, here}, {"a", reasonRate, here}, {"b", reasonDamaged, here}, {"a", reasonDamaged, here.Next()}} {
			if r.count(s, now) {
				said++
			}
		}
		now = now.Add(10 * time.Second)
	}
	if said != 4 {
		t.Errorf("%d lines in the log, want one for each of 4 boards and reasons", said)
	}
	want := []Refused{{"a", reasonDamaged, 10}, {"a", reasonRate, 5}, {"b", reasonDamaged, 5}}
	if got := r.list(); !slices.Equal(got, want) {
		t.Errorf("counted %v, want %v", got, want)
	}
	for range 3 * maxAddresses {
		here = here.Next()
		r.count(subject{"", reasonCredentials, here}, now)
	}
	if n := len(r.said); n > maxAddresses {
		t.Errorf("%d boards are remembered, want at most %d", n, maxAddresses)
	}
}
