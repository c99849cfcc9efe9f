package node_test

import (
	"fmt"
	"testing"
	"time"

	"camqtt/internal/wire"
)

// On a slow line an acknowledgement takes seconds, because it comes behind a picture.
// Many viewers who renew their leases must not make the camera's answers later and
// later: what waits goes out together, in order.
func TestAnswersGoTogether(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, nil)
		defer b.end()
		b.say("porch/cmd", "start viewer=v0 for=1h")
		b.pass(time.Second)
		b.broker.take()
		b.broker.set(func(x *broker) { x.slow = 3 * time.Second })
		for i := range 20 {
			b.say("porch/cmd", fmt.Sprintf("start viewer=v%d id=r%d for=1h", i, i))
		}
		b.say("porch/cmd", "snap id=picture")
		b.pass(20 * time.Second)
		got := results(t, b.broker.take())
		if len(got) != 21 {
			t.Fatalf("%d of 21 results after 20 s of a line on which everything takes 3 s", len(got))
		}
		for i, r := range got[:20] {
			if want := fmt.Sprintf("r%d", i); r.ID != want || !r.OK {
				t.Errorf("result %d is of %q (%s), want %q", i, r.ID, r.Code, want)
			}
		}
		if r := got[20]; r.ID != "picture" || !r.OK {
			t.Errorf("the last result is of %q (%s), want of the snap", r.ID, r.Code)
		}
	})
}

// What went out together and was not acknowledged comes again, whole and in order.
func TestTogetherAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, nil)
		defer b.end()
		b.broker.set(func(x *broker) { x.slow, x.fail = time.Second, true })
		for i := range 5 {
			b.say("porch/cmd", fmt.Sprintf("stop viewer=v%d id=r%d", i, i))
		}
		b.pass(5 * time.Second)
		b.cut()
		b.broker.take()
		b.broker.set(func(x *broker) { x.slow, x.fail = 0, false })
		b.connect()
		b.pass(time.Second)
		all := b.broker.take()
		if k := kinds(all); len(k) < 3 || k[0] != string(wire.KindStatus) {
			t.Fatalf("%v: want the greeting first", k)
		}
		got := results(t, all)
		if len(got) != 5 {
			t.Fatalf("%d results after the break, want 5", len(got))
		}
		for i, r := range got {
			if want := fmt.Sprintf("r%d", i); r.ID != want {
				t.Errorf("result %d is of %q, want %q", i, r.ID, want)
			}
		}
	})
}

// Somebody who asks for a picture while others watch gets it before them, also when
// the answers that wait for their acknowledgement keep it from leaving at once.
func TestSnapBeforeLive(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, nil)
		defer b.end()
		b.say("porch/cmd", "start viewer=v0 for=1h")
		b.pass(time.Second)
		b.broker.set(func(x *broker) { x.slow = 5 * time.Second })
		b.pass(22500 * time.Millisecond) // in the middle of a picture
		b.say("porch/cmd", "start viewer=v0 for=1h")
		b.pass(100 * time.Millisecond)
		b.broker.take()
		b.say("porch/cmd", "snap id=picture")
		b.pass(30 * time.Second)
		before := 0
		for _, k := range kinds(b.broker.take()) {
			if k == string(wire.KindMeta) {
				break
			}
			if k == string(wire.KindFrame) {
				before++
			}
		}
		if before > 2 { // one that was on its way, and the snap's own
			t.Errorf("%d frames before the snapshot that somebody waited for, want at most one that was on its way", before-1)
		}
	})
}

// On a line that carries a picture in three seconds previews come regularly, though
// most of the pictures that were to be one give way to newer ones, and few enough that
// the live picture has the line.
func TestPreviewsOnSlowLine(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, nil)
		defer b.end()
		b.broker.set(func(x *broker) { x.slow = 3 * time.Second })
		b.say("porch/cmd", "start viewer=v0 for=1h")
		b.pass(30 * time.Second)
		b.broker.take()
		b.pass(10 * time.Minute)
		var last time.Time
		var longest time.Duration
		all := b.broker.take()
		for _, p := range of(all, wire.KindPreview) {
			if !last.IsZero() {
				longest = max(longest, p.at.Sub(last))
			}
			last = p.at
		}
		frames, previews := len(of(all, wire.KindFrame)), len(of(all, wire.KindPreview))
		if frames < 190 || previews < 20 || previews > frames/5 || longest > 30*time.Second {
			t.Errorf("%d frames, %d previews, %s between two at most; want 200, a tenth of them, and 30 s", frames, previews, longest)
		}
	})
}
