package node_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"camqtt/internal/testkit"
	"camqtt/internal/wire"
	"camqtt/node"
	"camqtt/node/camera"
	"camqtt/node/camera/push"
)

// board is a bench whose camera sends when the test says.
type board struct {
	*bench
	inbox *push.Inbox
	jpeg  []byte
}

func startBoard(t *testing.T, source string) *board {
	t.Helper()
	bd := &board{inbox: push.NewInbox(), jpeg: testkit.JPEG(t, 64, 48, 1, 0)}
	bd.bench = start(t, func(o *node.Options, _ *testkit.Camera) {
		s, err := camera.Open(source, camera.Options{Inbox: bd.inbox}, push.Kind())
		if err != nil {
			t.Fatal(err)
		}
		o.Source = s
	})
	return bd
}

// send is the board sending a picture; it reports whether it was taken.
func (b *board) send() bool { return b.deliver(b.jpeg) == nil }

// deliver is the board sending bytes, with the answer.
func (b *board) deliver(jpeg []byte) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	err := b.inbox.Deliver(ctx, camera.Frame{JPEG: slices.Clone(jpeg), At: time.Now()})
	b.pass(0)
	return err
}

// pictures lists the kinds of what was published and is a picture or about one.
func pictures(all []sent) []string {
	return without(without(without(kinds(all), "state"), "stats"), "status")
}

func statuses(all []sent) (got []string) {
	for _, m := range of(all, wire.KindStatus) {
		got = append(got, string(m.Payload))
	}
	return got
}

func meta(t *testing.T, all []sent) wire.Meta {
	t.Helper()
	var m wire.Meta
	got := of(all, wire.KindMeta)
	if len(got) != 1 {
		t.Fatalf("%d descriptions of pictures, want 1", len(got))
	}
	if err := json.Unmarshal(got[0].Payload, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestBoardAsked has a board whose pictures are published when somebody asks.
func TestBoardAsked(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := startBoard(t, "push:?every=10m")
		defer b.end()
		if got := statuses(b.broker.take()); !slices.Equal(got, []string{"online"}) {
			t.Errorf("status %v, want online", got)
		}
		if !b.send() {
			t.Fatal("the picture was not taken")
		}
		b.pass(2 * time.Second)
		if got := pictures(b.broker.take()); len(got) != 0 {
			t.Errorf("published %v though nobody asked", got)
		}
		b.say("porch/cmd", "snap id=old max_age=1m")
		got := b.broker.take()
		if m := meta(t, got); m.Cause != wire.CauseCommand || m.ID != "old" {
			t.Errorf("the held picture comes with %+v", m)
		}
		b.pass(8 * time.Minute)
		b.broker.take()
		b.say("porch/cmd", "snap id=new")
		b.pass(2 * time.Minute)
		if got := results(t, b.broker.take()); len(got) != 0 {
			t.Fatalf("a snap was answered before a picture came: %+v", got)
		}
		b.send()
		got = b.broker.take()
		if r := results(t, got); len(r) != 1 || !r[0].OK || r[0].ID != "new" || r[0].TookMS < 120_000 || r[0].TookMS > 121_000 {
			t.Errorf("the snap got %+v", r)
		}
		if want := []string{"frame", "preview", "snapshot/meta", "snapshot", "event", "result"}; !slices.Equal(pictures(got), want) {
			t.Errorf("published %v, want %v", pictures(got), want)
		}
		b.say("porch/cmd", "start viewer=v for=1m")
		b.broker.take()
		b.send()
		if got := pictures(b.broker.take()); !slices.Contains(got, "frame") || slices.Contains(got, "snapshot") {
			t.Errorf("while somebody watches: published %v, want a frame and no snapshot", got)
		}
	})
}

// TestBoardDeliberate has a board that sleeps: each picture is a snapshot.
func TestBoardDeliberate(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := startBoard(t, "push:?publish=always")
		defer b.end()
		if got := statuses(b.broker.take()); !slices.Equal(got, []string{"sleeping"}) {
			t.Errorf("status %v before the first picture, want sleeping", got)
		}
		b.send()
		got := b.broker.take()
		if want := []string{"frame", "preview", "snapshot/meta", "snapshot", "event"}; !slices.Equal(pictures(got), want) {
			t.Errorf("published %v, want %v", pictures(got), want)
		}
		if m := meta(t, got); m.Cause != wire.CausePush || m.Seq != 1 || !of(got, wire.KindSnapshot)[0].Retained {
			t.Errorf("the picture comes with %+v", m)
		}
		if s := statuses(got); !slices.Equal(s, []string{"online"}) {
			t.Errorf("status %v with a picture, want online", s)
		}
		b.pass(61 * time.Second)
		if s := statuses(b.broker.take()); !slices.Equal(s, []string{"sleeping"}) {
			t.Errorf("status %v a minute later, want sleeping", s)
		}
		b.say("porch/cmd", "snap max_age=10m")
		if r := results(t, b.broker.take()); len(r) != 1 || !r[0].OK {
			t.Errorf("a snap that takes an old picture: %+v", r)
		}
		// A second node's will must not leave it offline, nor awake.
		b.say("porch/status", "offline")
		if s := statuses(b.broker.take()); !slices.Equal(s, []string{"sleeping"}) {
			t.Errorf("status %v after somebody else's will, want sleeping", s)
		}
	})
}

// TestBoardBurst sends far more than the configured rate, several pictures at once, as
// a board does that uploads what it took while it had no network: each picture that is
// acknowledged is published.
func TestBoardBurst(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := startBoard(t, "push:?publish=always")
		defer b.end()
		b.broker.take()
		var sending sync.WaitGroup
		var taken atomic.Int64
		for range 100 {
			sending.Go(func() { // ends with its answer
				if b.inbox.Deliver(t.Context(), camera.Frame{JPEG: slices.Clone(b.jpeg), At: time.Now()}) == nil {
					taken.Add(1)
				}
			})
		}
		sending.Wait()
		b.pass(0)
		if n := len(of(b.broker.take(), wire.KindSnapshot)); int64(n) != taken.Load() || n < 60 {
			t.Errorf("%d snapshots of %d acknowledged pictures, want all, and 60 at least", n, taken.Load())
		}
	})
}

// TestBoardRefused sends what is never published: the board is told. A large picture is
// made smaller, as the board cannot be asked for that.
func TestBoardRefused(t *testing.T) {
	for _, source := range []string{"push", "push:?publish=always"} {
		bubble(t, func(t *testing.T) {
			b := startBoard(t, source)
			defer b.end()
			large := testkit.JPEG(t, 1600, 1200, 1, 100)
			if len(large) <= 900_000 {
				t.Fatalf("the large picture has %d bytes only", len(large))
			}
			damaged := slices.Clone(b.jpeg)
			copy(damaged[len(damaged)-12:], []byte{0xff, 0xd9})
			for _, c := range []struct {
				jpeg []byte
				want error
			}{{large, nil}, {damaged, camera.ErrDamaged}, {b.jpeg, nil}} {
				if err := b.deliver(c.jpeg); !errors.Is(err, c.want) {
					t.Errorf("%s: %d bytes: %v, want %v", source, len(c.jpeg), err, c.want)
				}
			}
			for _, m := range b.broker.take() {
				if len(m.Payload) > 900_000 {
					t.Errorf("%s has %d bytes", m.Topic, len(m.Payload))
				}
			}
		})
	}
}

// TestBoardThroughOutage sends while the broker is away.
func TestBoardThroughOutage(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := startBoard(t, "push:?publish=always")
		defer b.end()
		b.cut()
		for i := range 12 {
			if err := b.deliver(b.jpeg); i < 8 && err != nil || i >= 8 && !errors.Is(err, camera.ErrBusy) {
				t.Fatalf("picture %d while the broker is away: %v; want 8 taken, and no other in their place", i+1, err)
			}
			b.pass(time.Second)
		}
		b.broker.take()
		b.connect()
		b.pass(time.Second)
		got := b.broker.take()
		if n := len(of(got, wire.KindSnapshot)); n != 8 || len(of(got, wire.KindFrame)) != 0 {
			t.Errorf("%d snapshots after the outage, want the 8 that were acknowledged and no frames", n)
		}
		var m wire.Meta
		if err := json.Unmarshal(of(got, wire.KindMeta)[0].Payload, &m); err != nil || !m.Late {
			t.Errorf("a picture held back is described by %+v, %v", m, err)
		}
	})
}

// TestBoardSilent has a board of which a picture is expected.
func TestBoardSilent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := startBoard(t, "push:?every=10m")
		defer b.end()
		b.send()
		b.pass(24 * time.Minute)
		if s := state(t, b.broker.take()); s.Error != nil {
			t.Errorf("error %+v though the board may still be late", s.Error)
		}
		b.pass(2 * time.Minute)
		got := b.broker.take()
		s := state(t, got)
		if s.Error == nil || s.Error.Code != wire.Stalled || !strings.Contains(s.Error.Text, "expected every 10m0s; the camera sends when it likes, last 25m0s ago") {
			t.Errorf("error %+v, want stalled with when the last came", s.Error)
		}
		if n := len(of(got, wire.KindEvent)); n != 1 {
			t.Errorf("%d events, want one", n)
		}
		b.pass(time.Hour)
		if n := len(of(b.broker.take(), wire.KindEvent)); n != 0 {
			t.Errorf("%d more events of the same silence", n)
		}
		if !b.send() {
			t.Fatal("a picture that comes late was not taken")
		}
		b.pass(2 * time.Second)
		if s := state(t, b.broker.take()); s.Error != nil {
			t.Errorf("error %+v after a picture", s.Error)
		}
	})
}

// TestBoardTimeout asks a board of which nobody knows when it sends.
func TestBoardTimeout(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := startBoard(t, "push")
		defer b.end()
		b.say("porch/cmd", "snap id=1")
		b.pass(66 * time.Second)
		if r := results(t, b.broker.take()); len(r) != 1 || r[0].Code != wire.Timeout || !strings.Contains(r[0].Text, "none since the node started") {
			t.Errorf("without any picture: %+v", r)
		}
		b.send()
		b.pass(5 * time.Minute)
		b.say("porch/cmd", "snap id=2")
		b.pass(66 * time.Second)
		got := b.broker.take()
		if r := results(t, got); len(r) != 1 || r[0].Code != wire.Timeout || !strings.Contains(r[0].Text, "last 6m5s ago: a snap with max_age takes that picture") {
			t.Errorf("with an old picture: %+v", r)
		}
	})
}

// TestBoardPrivacy does not take what nobody may see, nor remembers it.
func TestBoardPrivacy(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := startBoard(t, "push:?publish=always")
		defer b.end()
		b.send()
		b.say("porch/set/privacy", "on")
		b.broker.take()
		if b.send() {
			t.Error("a picture is taken with privacy on")
		}
		b.pass(time.Second)
		b.say("porch/set/privacy", "off")
		if got := pictures(b.broker.take()); slices.Contains(got, "snapshot") {
			t.Errorf("published %v", got)
		}
		if !b.send() {
			t.Error("no picture is taken once privacy is off")
		}
		if n := len(of(b.broker.take(), wire.KindSnapshot)); n != 1 {
			t.Errorf("%d snapshots, want 1", n)
		}
	})
}

// TestBoardBroken sends what is no whole picture: that is said, and the next one
// that is whole is taken whenever it comes, since there is nothing to spare by
// waiting.
func TestBoardBroken(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := startBoard(t, "push:?publish=always")
		defer b.end()
		whole := b.jpeg
		half := append(slices.Clone(whole[:len(whole)*3/4]), 0xff, 0xd9)
		for range 3 { // again and again
			for range 6 {
				if err := b.deliver(half); !errors.Is(err, camera.ErrDamaged) {
					t.Fatalf("a damaged picture is answered with %v", err)
				}
				b.pass(2 * time.Second)
			}
		}
		got := b.broker.take()
		if s := state(t, got); s.Error == nil || s.Error.Code != wire.Stalled || !strings.Contains(s.Error.Text, "broken pictures only") {
			t.Errorf("error %+v, want stalled and why", s.Error)
		}
		if n := len(of(got, wire.KindSnapshot)) + len(of(got, wire.KindFrame)); n != 0 {
			t.Errorf("%d broken pictures published", n)
		}
		if !b.send() {
			t.Error("a whole picture is not taken")
		}
		b.pass(2 * time.Second)
		got = b.broker.take()
		if s := state(t, got); s.Error != nil || len(of(got, wire.KindSnapshot)) != 1 {
			t.Errorf("error %+v, %d snapshots after a whole picture", s.Error, len(of(got, wire.KindSnapshot)))
		}
	})
}
