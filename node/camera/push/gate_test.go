package push

import (
	"errors"
	"net/netip"
	"testing"
	"time"
)

func taken([]byte, time.Time) bool { return true }

// TestPace lets through what a camera sends and no more, for each camera alone.
func TestPace(t *testing.T) {
	here := netip.MustParseAddr("192.0.2.1")
	from := []netip.Prefix{netip.PrefixFrom(here, 32)}
	g, err := newGate([]Camera{{ID: "a", From: from, Deliver: taken}, {ID: "b", From: from, Deliver: taken}})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	through := func(id string, n int) (ok int) {
		for range n {
			if _, err := g.admit(visit{id: id, from: here, at: now}); err == nil {
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

// TestGuessesAreForgiven lets an address in again after its minute, and the
// memory of addresses does not grow.
func TestGuessesAreForgiven(t *testing.T) {
	g, err := newGate([]Camera{{ID: "a", Token: "hunter2.hunter2", Deliver: taken}})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	at := func(a netip.Addr, token string) error {
		_, err := g.admit(visit{id: "a", token: token, from: a, at: now})
		return err
	}
	home := netip.MustParseAddr("2001:db8::1")
	neighbour := netip.MustParseAddr("2001:db8::ffff") // of the same /64
	for range guessBurst {
		if err := at(home, "wrong.wrong"); !errors.Is(err, errRefused) {
			t.Fatal(err)
		}
	}
	if err := at(neighbour, "hunter2.hunter2"); !errors.Is(err, errGuesses) {
		t.Errorf("from the next address of the same network: %v", err)
	}
	now = now.Add(time.Minute)
	if err := at(neighbour, "hunter2.hunter2"); err != nil {
		t.Errorf("a minute later: %v", err)
	}
	a := netip.MustParseAddr("10.0.0.0")
	for range 3 * maxAddresses {
		_ = at(a, "wrong.wrong") // refused
		a = a.Next()
	}
	if n := len(g.strange); n > maxAddresses {
		t.Errorf("%d addresses are remembered, want at most %d", n, maxAddresses)
	}
}
