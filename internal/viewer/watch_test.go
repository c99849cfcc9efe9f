package viewer_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"camqtt/internal/testkit"
	"camqtt/internal/testkit/faketime"
	"camqtt/internal/viewer"
	"camqtt/internal/wire"
)

// While a renewal of the lease waits for its acknowledgement, which on a slow line
// comes behind pictures, those are shown, and nothing is renewed after the end.
func TestWatchShowsWhileRenewing(t *testing.T) {
	faketime.Run(t, func(t *testing.T) {
		v, l := start(t)
		l.answer = func(_ string, c wire.Command) {
			if c.Verb == wire.Start {
				time.Sleep(4 * time.Second)
			}
		}
		pic := testkit.JPEG(t, 32, 24, 1, 0)
		var pauses []time.Duration
		ctx, stop := context.WithTimeout(t.Context(), 20500*time.Millisecond)
		defer stop()
		go func() { // ends with ctx
			for ctx.Err() == nil {
				say(v, wire.KindFrame, pic, false)
				time.Sleep(time.Second)
			}
		}()
		last := time.Now()
		err := v.Watch(ctx, "porch", viewer.Live{}, func(viewer.Picture) error {
			pauses = append(pauses, time.Since(last))
			last = time.Now()
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if n := len(pauses); n < 20 || slices.Max(pauses) > 1100*time.Millisecond {
			t.Errorf("%d pictures of 20, the longest pause %s", n, slices.Max(pauses))
		}
		if c := l.commands[len(l.commands)-1]; !strings.Contains(c, " stop") {
			t.Errorf("the last command is %q, want stop", c)
		}
	})
}

// TestWatch renews its lease, renews at once when the link comes back, shows
// only the newest picture to a slow reader, and gives the lease back.
func TestWatch(t *testing.T) {
	faketime.Run(t, func(t *testing.T) {
		v, l := start(t)
		ctx, stop := context.WithCancel(t.Context())
		shown := make(chan string, 100)
		done := make(chan error, 1)
		go func() {
			done <- v.Watch(ctx, "porch", viewer.Live{FPS: 5}, func(p viewer.Picture) error {
				shown <- string(p.JPEG)
				time.Sleep(10 * time.Second) // a slow reader, on fake time
				return nil
			})
		}()
		synctest.Wait()
		if n := l.verbs(wire.Start); n != 1 || !slices.Contains(l.subscribed(), "cam/porch/frame") {
			t.Fatalf("%d starts, subscribed to %v", n, l.subscribed())
		}
		time.Sleep(21 * time.Second)
		synctest.Wait()
		if n := l.verbs(wire.Start); n < 4 || n > 6 {
			t.Errorf("%d starts in 21 s of a lease of 15 s", n)
		}
		before := l.verbs(wire.Start)
		v.LinkUp()
		synctest.Wait()
		if n := l.verbs(wire.Start); n != before+1 {
			t.Errorf("%d starts when the link came back, want one more than %d", n, before)
		}
		for _, p := range []string{"1", "2", "3", "4", string(huge(testkit.JPEG(t, 64, 48, 1, 0)))} {
			say(v, wire.KindFrame, p, false)
			synctest.Wait()
		}
		time.Sleep(15 * time.Second)
		synctest.Wait()
		if a, b := <-shown, <-shown; a != "1" || b != "4" || len(shown) != 0 {
			t.Errorf("shown %q, %q and %d more; want the first and the newest that is no fraud", a, b, len(shown))
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if slices.Contains(l.subscribed(), "cam/porch/frame") {
			t.Error("live pictures are still subscribed to")
		}
		if l.verbs(wire.Stop) != 1 {
			t.Errorf("the lease was not given back: %d stops", l.verbs(wire.Stop))
		}
		idle(t, l)
	})
}

func TestWatchRefused(t *testing.T) {
	faketime.Run(t, func(t *testing.T) {
		v, l := start(t)
		l.answer = func(_ string, c wire.Command) {
			if c.Verb == wire.Start {
				say(v, wire.KindResult, wire.Result{ID: c.ID, Code: wire.NoCamera, Text: "gone"}, false)
			}
		}
		err := v.Watch(t.Context(), "porch", viewer.Live{}, func(viewer.Picture) error { return nil })
		var refused *viewer.Refused
		if !errors.As(err, &refused) || refused.Result.Code != wire.NoCamera {
			t.Errorf("got %v, want the camera's refusal", err)
		}
	})
}

// A lease ends with its context also while nothing takes the pictures.
func TestWatchEndsWhileStuck(t *testing.T) {
	faketime.Run(t, func(t *testing.T) {
		v, l := start(t)
		ctx, stop := context.WithCancel(t.Context())
		free, done := make(chan struct{}), make(chan error, 1)
		go func() { // ends with free
			done <- v.Watch(ctx, "porch", viewer.Live{}, func(viewer.Picture) error { <-free; return nil })
		}()
		synctest.Wait()
		say(v, wire.KindFrame, testkit.JPEG(t, 32, 24, 1, 0), false)
		synctest.Wait()
		stop()
		synctest.Wait()
		if n := l.verbs(wire.Stop); n != 1 {
			t.Errorf("%d stops while the output is stuck, want 1", n)
		}
		close(free)
		if err := <-done; err != nil {
			t.Error(err)
		}
		if n := l.verbs(wire.Stop); n != 1 {
			t.Errorf("%d stops, want 1", n)
		}
		idle(t, l)
	})
}
