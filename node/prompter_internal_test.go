package node

import (
	"testing"
	"time"
)

// A source is asked once for all requests that an exposure serves, again when a later
// exposure is needed or what came was too old, and a third time only when one got lost.
func TestPrompter(t *testing.T) {
	at := func(ms int) time.Time { return time.UnixMilli(1e12 + int64(ms)) }
	p := newPrompter(at(0))
	take := func() bool {
		select {
		case <-p.ring:
			return true
		default:
			return false
		}
	}
	first := []request{{at: at(0)}}
	p.ask(first, at(0))
	if !take() {
		t.Fatal("not asked for the first request")
	}
	p.ask(first, at(100))
	if take() {
		t.Error("asked again while a picture is due")
	}
	second := []request{{at: at(200)}}
	p.ask(append(first, second...), at(200))
	p.came(at(0), at(500)) // of the first prompt
	if p.idle() {
		t.Error("idle though the second picture is due")
	}
	p.ask(second, at(500))
	if !take() || take() {
		t.Error("want one prompt for the second request")
	}
	p.came(at(100), at(700)) // an old one
	if !p.idle() {
		t.Error("not idle after two pictures for two prompts")
	}
	p.ask(second, at(700))
	if !take() {
		t.Error("not asked again after a picture that was too old")
	}
	p.ask(second, at(700).Add(askAgain))
	if !take() {
		t.Error("not asked again for a picture that got lost")
	}
	p.came(at(9000), at(9100))
	if !p.idle() || !p.next(nil).IsZero() {
		t.Error("want nothing expected after a picture that came after the last prompt")
	}
}
