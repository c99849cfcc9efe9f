package node_test

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"camqtt/internal/jpeg"
	"camqtt/internal/testkit"
	"camqtt/internal/wire"
	"camqtt/node"
	"camqtt/node/camera"
)

// imageOf returns the ImageUniqueID of a published picture.
func imageOf(t *testing.T, m sent) string {
	t.Helper()
	id, ok := jpeg.ImageID(m.Payload)
	if !ok {
		t.Fatalf("the picture on %s has no ImageUniqueID", m.Topic)
	}
	return id
}

func TestStillCommand(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, func(_ *node.Options, c *testkit.Camera) { c.Every = time.Minute })
		defer b.end()
		b.broker.take()
		b.say("porch/cmd", "still id=a1")
		b.pass(500 * time.Millisecond)
		got := b.broker.take()
		if want := []string{"preview", "result"}; !slices.Equal(without(kinds(got), "state"), want) {
			t.Fatalf("published %v, want %v", kinds(got), want)
		}
		pic := of(got, wire.KindPreview)[0]
		if !pic.Retained {
			t.Error("the preview is not retained")
		}
		r := results(t, got)[0]
		if r.Cmd != "still" || r.ID != "a1" || !r.OK || r.Seq != 0 || r.Bytes != len(pic.Payload) || r.Image != imageOf(t, pic) {
			t.Errorf("result %+v of picture %s", r, imageOf(t, pic))
		}
		b.say("porch/cmd", "still id=a2 max_age=5s")
		b.pass(0)
		got = b.broker.take()
		if r := results(t, got); len(r) != 1 || !r[0].OK || r[0].Image != imageOf(t, pic) || len(of(got, wire.KindPreview)) != 1 {
			t.Errorf("with max_age %v, results %+v; want the same picture again", kinds(got), r)
		}
		b.say("porch/set/privacy", "on")
		b.say("porch/cmd", "still id=a3")
		b.pass(time.Second)
		got = b.broker.take()
		if r := results(t, got); len(r) != 2 || r[1].Code != wire.Privacy {
			t.Errorf("while private: results %+v", r)
		}
	})
}

// A still and a snap that share an exposure are both answered with the one picture.
func TestStillSharesWithSnap(t *testing.T) {
	bubble(t, func(t *testing.T) {
		// The camera takes a moment to open, so that both commands come before its first picture.
		b := start(t, func(_ *node.Options, c *testkit.Camera) { c.Warmup = 100 * time.Millisecond })
		defer b.end()
		b.broker.take()
		b.node.Handle(wire.Message{Topic: "cam/porch/cmd", Payload: []byte("still id=still")})
		b.say("porch/cmd", "snap id=snap")
		b.pass(500 * time.Millisecond)
		got := b.broker.take()
		want := []string{"frame", "preview", "snapshot/meta", "snapshot", "event", "result", "result"}
		if !slices.Equal(without(kinds(got), "state"), want) {
			t.Fatalf("published %v, want %v", kinds(got), want)
		}
		image := imageOf(t, of(got, wire.KindSnapshot)[0])
		var meta wire.Meta
		var event wire.Event
		if json.Unmarshal(of(got, wire.KindMeta)[0].Payload, &meta) != nil || meta.Image != image || meta.ID != "snap" {
			t.Errorf("meta %+v, want image %s and the id of the snap", meta, image)
		}
		if json.Unmarshal(of(got, wire.KindEvent)[0].Payload, &event) != nil || event.Image != image {
			t.Errorf("event %+v, want image %s", event, image)
		}
		for _, r := range results(t, got) {
			if !r.OK || r.Image != image || (r.Seq != 0) != (r.Cmd == "snap") {
				t.Errorf("result %+v, want image %s", r, image)
			}
		}
	})
}

// Stills do not take pictures from those who watch, nor count as sent on frame.
func TestStillWhileLive(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, nil)
		defer b.end()
		b.say("porch/cmd", "start viewer=v")
		b.pass(time.Second)
		b.broker.take()
		for range 5 {
			b.say("porch/cmd", "still")
			b.pass(time.Second)
		}
		got := b.broker.take()
		if n := len(of(got, wire.KindFrame)); n != 50 {
			t.Errorf("%d frames in 5 s of a camera with 10 fps, want 50", n)
		}
		if n := len(results(t, got)); n != 5 {
			t.Errorf("%d results, want 5", n)
		}
		if n := len(of(got, wire.KindSnapshot)); n != 0 {
			t.Errorf("%d snapshots, want none", n)
		}
	})
}

// A still is repeated after a connection ended before its result was acknowledged.
func TestStillAfterBreak(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, nil)
		defer b.end()
		b.broker.set(func(x *broker) { x.fail = true })
		b.say("porch/cmd", "still id=a1")
		b.pass(time.Second)
		b.cut()
		b.broker.take()
		b.broker.set(func(x *broker) { x.fail = false })
		b.connect()
		b.pass(time.Second)
		got := b.broker.take()
		if want := []string{"status", "info", "state", "preview", "result"}; !slices.Equal(kinds(got), want) {
			t.Fatalf("after the break %v, want %v", kinds(got), want)
		}
		if r := results(t, got)[0]; !r.Late || !r.OK || r.Image != imageOf(t, of(got, wire.KindPreview)[0]) {
			t.Errorf("result %+v", r)
		}
	})
}

func TestCapsHaveStill(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, nil)
		defer b.end()
		var info wire.Info
		if err := json.Unmarshal(of(b.broker.take(), wire.KindInfo)[0].Payload, &info); err != nil || !slices.Contains(info.Caps, wire.CapStill) {
			t.Errorf("caps %v, %v", info.Caps, err)
		}
	})
}

// shutter is a camera that exposes for a while when it is prompted, as a snapshot
// address does.
type shutter struct {
	exposure time.Duration
	jpeg     []byte
	begun    chan time.Time
}

func (s *shutter) Profile() camera.Profile {
	return camera.Profile{Kind: "fake", Prompted: true, Instant: true}
}

func (s *shutter) Stream(ctx context.Context, m camera.Mode, emit func(camera.Frame)) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-m.Prompt:
		}
		at := time.Now()
		s.begun <- at
		time.Sleep(s.exposure)
		emit(camera.Frame{JPEG: bytes.Clone(s.jpeg), At: at})
	}
}

// A request that comes during an exposure gets the next one: it may have been made
// because of what has just happened. With max_age the one under way will do.
func TestExposureBeginsAfterRequest(t *testing.T) {
	for _, verb := range []string{"snap", "still"} {
		t.Run(verb, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := &shutter{exposure: 500 * time.Millisecond, jpeg: testkit.JPEG(t, 64, 48, 1, 0), begun: make(chan time.Time, 10)}
				b := start(t, func(o *node.Options, _ *testkit.Camera) { o.Source = s })
				defer b.end()
				b.broker.take()
				b.say("porch/cmd", verb+" id=first")
				b.pass(200 * time.Millisecond)
				asked := time.Now()
				b.say("porch/cmd", verb+" id=second")
				b.say("porch/cmd", verb+" id=third")
				b.say("porch/cmd", verb+" id=old max_age=1s")
				b.pass(3 * time.Second)
				got := b.broker.take()
				taken := map[string]time.Time{}
				for _, m := range of(got, wire.KindPreview) {
					at, _ := jpeg.CaptureTime(m.Payload)
					taken[imageOf(t, m)] = at
				}
				image := map[string]string{}
				for _, r := range results(t, got) {
					if !r.OK || taken[r.Image].IsZero() {
						t.Fatalf("result %+v", r)
					}
					image[r.ID] = r.Image
				}
				if len(image) != 4 || len(s.begun) != 2 || image["first"] == image["second"] || image["second"] != image["third"] {
					t.Errorf("images %v in %d exposures: want one for the first, another for both that came during it", image, len(s.begun))
				}
				if taken[image["second"]].Before(asked.Truncate(time.Millisecond)) {
					t.Errorf("asked at %v, exposed at %v", asked, taken[image["second"]])
				}
				if image["old"] != image["first"] {
					t.Error("a request with max_age did not share the exposure that was under way")
				}
			})
		})
	}
}
