package node_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"camqtt/internal/jpeg"
	"camqtt/internal/testkit"
	"camqtt/internal/wire"
	"camqtt/node"
	"camqtt/node/camera"
)

func TestGreeting(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, nil)
		got := b.broker.take()
		if want := []string{"status", "info", "state"}; !slices.Equal(kinds(got), want) {
			t.Errorf("on connect %v, want %v", kinds(got), want)
		}
		for _, m := range got {
			if m.QoS != 1 || !m.Retained {
				t.Errorf("%s has QoS %d, retained %v", m.Topic, m.QoS, m.Retained)
			}
		}
		if b.camera.Opens.Load() != 0 {
			t.Error("the camera was opened though nobody asked")
		}
		if w := b.node.Will(); w.Topic != "cam/porch/status" || string(w.Payload) != "offline" || w.QoS != 1 || !w.Retained {
			t.Errorf("will %+v", w)
		}
		b.end()
		last := b.broker.take()
		if len(last) != 1 || last[0].Topic != "cam/porch/status" || string(last[0].Payload) != "offline" {
			t.Errorf("at the end %v, want only offline", kinds(last))
		}
	})
}

func TestSnap(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, func(o *node.Options, c *testkit.Camera) { c.Warmup, c.Prof.Make = 300*time.Millisecond, "Acme" })
		b.broker.take()
		b.say("porch/cmd", "snap id=a1")
		b.pass(400 * time.Millisecond)
		got := b.broker.take()
		if want := []string{"frame", "preview", "snapshot/meta", "snapshot", "event", "result"}; !slices.Equal(without(kinds(got), "state"), want) {
			t.Fatalf("published %v, want %v", kinds(got), want)
		}
		for _, m := range got {
			kind := wire.Kind(strings.TrimPrefix(m.Topic, "cam/porch/"))
			row := wire.ChannelOf(kind)
			if m.QoS != row.QoS || m.Retained != (row.Retain != wire.Never) {
				t.Errorf("%s: QoS %d, retained %v; topics.md says %d, %s", kind, m.QoS, m.Retained, row.QoS, row.Retain)
			}
		}
		pic := of(got, wire.KindFrame)[0].Payload
		for _, k := range []wire.Kind{wire.KindPreview, wire.KindSnapshot} {
			if !bytes.Equal(pic, of(got, k)[0].Payload) {
				t.Errorf("%s is another picture than frame", k)
			}
		}
		info, err := jpeg.Scan(pic)
		if err != nil || !info.HasEXIF || info.Width != 64 {
			t.Errorf("picture %+v, %v", info, err)
		}
		var meta wire.Meta
		if err := json.Unmarshal(of(got, wire.KindMeta)[0].Payload, &meta); err != nil {
			t.Fatal(err)
		}
		at, ok := jpeg.CaptureTime(pic)
		if !ok || !at.Equal(meta.TS.Time) {
			t.Errorf("EXIF says %v, meta %v", at, meta.TS)
		}
		if meta.Bytes != len(pic) || meta.Warm || meta.TookMS != 300 || meta.Seq != 1 || meta.ID != "a1" || meta.Cause != "command" || meta.Late {
			t.Errorf("meta %+v", meta)
		}
		r := results(t, got)[0]
		if r.Cmd != "snap" || r.ID != "a1" || !r.OK || r.Code != wire.OK || r.TookMS != 300 || r.Bytes != len(pic) || r.Seq != 1 {
			t.Errorf("result %+v", r)
		}
		b.end()
	})
}

func without(all []string, word string) []string {
	return slices.DeleteFunc(all, func(s string) bool { return s == word })
}

// TestSnapIsFresh gives a camera that hands out pictures 250 ms old: the first
// ones were exposed before the command and must not be used.
func TestSnapIsFresh(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, func(_ *node.Options, c *testkit.Camera) { c.Stale = 250 * time.Millisecond })
		b.say("porch/cmd", "start")
		b.pass(time.Second)
		b.broker.take()
		asked := time.Now()
		b.say("porch/cmd", "snap")
		b.pass(time.Second)
		snaps := of(b.broker.take(), wire.KindSnapshot)
		if len(snaps) != 1 {
			t.Fatalf("%d snapshots", len(snaps))
		}
		if at, _ := jpeg.CaptureTime(snaps[0].Payload); at.Before(asked.Truncate(time.Millisecond)) {
			t.Errorf("asked at %v, got a picture of %v", asked, at)
		}
		b.end()
	})
}

func TestSnapMaxAge(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, nil)
		b.say("porch/cmd", "snap")
		b.pass(12 * time.Second) // keep_warm is over: the camera is closed
		if b.camera.Open.Load() != 0 {
			t.Fatal("the camera is still open")
		}
		taken := b.camera.Taken.Load()
		b.broker.take()
		b.say("porch/cmd", "snap id=old max_age=1m")
		b.pass(0)
		if r := results(t, b.broker.take()); len(r) != 1 || !r[0].OK || r[0].Seq != 2 || b.camera.Taken.Load() != taken {
			t.Errorf("results %+v, want the old picture at once", r)
		}
		b.say("porch/cmd", "snap id=new max_age=1s")
		b.pass(time.Second)
		if r := results(t, b.broker.take()); len(r) != 1 || !r[0].OK || b.camera.Taken.Load() == taken {
			t.Errorf("results %+v, want a new picture", r)
		}
		b.end()
	})
}

// TestThousandSnaps fires 1,000 snaps at once: each gets its own result, and
// they share few pictures.
func TestThousandSnaps(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, nil)
		b.broker.take()
		for i := range 1000 {
			b.node.Handle(wire.Message{Topic: "cam/porch/cmd", Payload: fmt.Appendf(nil, "snap id=%d", i)})
			if i%100 == 99 {
				b.pass(100 * time.Millisecond)
			}
		}
		b.pass(time.Second)
		got := b.broker.take()
		seen := map[string]int{}
		for _, r := range results(t, got) {
			if !r.OK {
				t.Fatalf("result %+v", r)
			}
			seen[r.ID]++
		}
		for i := range 1000 {
			if n := seen[fmt.Sprint(i)]; n != 1 {
				t.Fatalf("snap %d got %d results", i, n)
			}
		}
		if n := len(of(got, wire.KindSnapshot)); n > 20 {
			t.Errorf("%d pictures for snaps within one second of a 10 fps camera", n)
		}
		if b.broker.peak > 1 {
			t.Errorf("%d pictures were on their way at once", b.broker.peak)
		}
		b.end()
	})
}

func TestSnapSize(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, func(o *node.Options, c *testkit.Camera) {
			c.Prof.Caps = []string{camera.CapSize, camera.CapFPS, camera.CapQuality}
			o.Size = wire.Size{Width: 1280, Height: 720}
		})
		b.say("porch/cmd", "start viewer=tile size=320x240 fps=2 for=1h")
		b.pass(time.Second)
		b.say("porch/cmd", "snap")
		b.pass(time.Second)
		b.say("porch/cmd", "snap size=1920x1080 quality=30")
		b.pass(time.Second)
		want := []camera.Mode{
			{Width: 320, Height: 240, FPS: 2},  // the tile
			{Width: 1280, Height: 720, FPS: 2}, // a bare snap wants the configured size
			{Width: 320, Height: 240, FPS: 2},  // and back
			{Width: 1280, Height: 720, FPS: 2}, // 1920x1080 is capped; the tile's quality is the camera's own
			{Width: 320, Height: 240, FPS: 2},
		}
		if got := b.camera.Modes(); !slices.Equal(got, want) {
			t.Errorf("modes %v, want %v", got, want)
		}
		b.end()
	})
}

// TestLateSnapshot loses the acknowledgement of a result: the picture counts as
// undelivered and comes again, marked late, after the next greeting.
func TestLateSnapshot(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, nil)
		b.broker.take()
		b.broker.set(func(x *broker) { x.fail = true })
		b.say("porch/cmd", "snap id=a1")
		b.pass(time.Second)
		b.cut()
		b.pass(5 * time.Second)
		b.broker.take()
		b.broker.set(func(x *broker) { x.fail = false })
		b.connect()
		b.pass(10 * time.Second)
		got := b.broker.take()
		if want := []string{"status", "info", "state", "snapshot/meta", "snapshot", "event", "result"}; !slices.Equal(kinds(got)[:7], want) {
			t.Fatalf("after the break %v, want %v", kinds(got), want)
		}
		var meta wire.Meta
		if err := json.Unmarshal(got[3].Payload, &meta); err != nil || !meta.Late || meta.ID != "a1" {
			t.Errorf("meta %s, %v", got[3].Payload, err)
		}
		if r := results(t, got); len(r) != 1 || !r[0].Late || r[0].ID != "a1" || !r[0].OK {
			t.Errorf("results %+v", r)
		}
		b.end()
	})
}

// TestHeldPicturesAreBounded takes scheduled pictures through a long outage.
func TestHeldPicturesAreBounded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, func(o *node.Options, _ *testkit.Camera) { o.Settings = settings(t, "snap_every=10s") })
		b.cut()
		b.broker.take()
		b.pass(5 * time.Minute)
		b.connect()
		b.pass(time.Second)
		metas := of(b.broker.take(), wire.KindMeta)
		if len(metas) != 8 {
			t.Errorf("%d pictures were held back, want the newest 8", len(metas))
		}
		b.end()
	})
}

func TestScheduledSnapshot(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, func(o *node.Options, _ *testkit.Camera) { o.Settings = settings(t, "snap_every=1m") })
		b.broker.take()
		b.pass(3*time.Minute + time.Second)
		got := b.broker.take()
		if n := len(of(got, wire.KindSnapshot)); n != 3 {
			t.Errorf("%d snapshots in 3 minutes", n)
		}
		if n := len(of(got, wire.KindResult)); n != 0 {
			t.Errorf("%d results though nobody asked", n)
		}
		var meta wire.Meta
		if err := json.Unmarshal(of(got, wire.KindMeta)[0].Payload, &meta); err != nil || meta.Cause != "schedule" {
			t.Errorf("meta %+v, %v", meta, err)
		}
		b.say("porch/set/snap_every", "0")
		b.broker.take()
		b.pass(3 * time.Minute)
		if n := len(of(b.broker.take(), wire.KindSnapshot)); n != 0 {
			t.Errorf("%d snapshots after snap_every 0", n)
		}
		b.end()
	})
}

func TestBadPictures(t *testing.T) {
	whole := testkit.JPEG(t, 64, 48, 1, 0)
	for name, c := range map[string]struct {
		bad  []byte
		code wire.Code
	}{
		"cut in half": {whole[:len(whole)/2], wire.Timeout},
		"not a JPEG":  {[]byte("<html>busy</html>"), wire.Timeout},
		"too large":   {testkit.JPEG(t, 1600, 1200, 1, 255), wire.TooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				good := false
				b := start(t, func(_ *node.Options, cam *testkit.Camera) {
					cam.Prof.Caps = []string{camera.CapQuality} // so that it is not made smaller here
					cam.Picture = func(int) []byte {
						if good {
							return whole
						}
						return c.bad
					}
				})
				b.say("porch/cmd", "snap")
				b.pass(25 * time.Second)
				got := b.broker.take()
				if r := results(t, got); len(r) != 1 || r[0].OK || r[0].Code != c.code && r[0].Code != wire.Stalled {
					t.Errorf("results %+v, want %s", r, c.code)
				}
				if n := len(of(got, wire.KindFrame)); n != 0 {
					t.Errorf("%d bad pictures were published", n)
				}
				b.camera.Break(nil)
				b.say("porch/cmd", "stop")
				good = true
				synctest.Wait()
				b.say("porch/cmd", "snap id=again")
				b.pass(3 * time.Second)
				if r := results(t, b.broker.take()); len(r) == 0 || !r[len(r)-1].OK {
					t.Errorf("after the bad pictures: %+v", r)
				}
				b.end()
			})
		})
	}
}
