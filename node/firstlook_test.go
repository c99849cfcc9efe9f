package node_test

import (
	"slices"
	"testing"
	"time"

	"camqtt/internal/testkit"
	"camqtt/internal/wire"
	"camqtt/node"
	"camqtt/node/camera"
)

const spread = 30 * time.Second

// previews counts the pictures that were published, and wants nothing but previews.
func previews(t *testing.T, b *bench) int {
	t.Helper()
	got := b.broker.take()
	for _, k := range kinds(got) {
		if slices.Contains([]string{"frame", "snapshot", "snapshot/meta", "result"}, k) {
			t.Errorf("published %v, want previews only", kinds(got))
		}
	}
	return len(of(got, wire.KindPreview))
}

// A camera is looked at once after the start, and left at once.
func TestFirstLook(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, func(o *node.Options, _ *testkit.Camera) { o.FirstPicture = spread })
		defer b.end()
		begun := time.Now()
		if n := previews(t, b); n != 0 {
			t.Errorf("%d pictures at once", n)
		}
		for b.camera.Opens.Load() == 0 {
			b.pass(100 * time.Millisecond)
			if time.Since(begun) > spread+time.Second {
				t.Fatal("the camera was not looked at")
			}
		}
		b.pass(time.Second)
		if n := previews(t, b); n != 1 || b.camera.Open.Load() != 0 {
			t.Errorf("%d pictures, open %d: want one, and the camera closed", n, b.camera.Open.Load())
		}
		b.cut()
		b.connect()
		b.pass(10 * time.Minute)
		if n := previews(t, b); n != 0 || b.camera.Opens.Load() != 1 {
			t.Errorf("%d more pictures, opened %d times", n, b.camera.Opens.Load())
		}
	})
}

// Where there is a picture already none is taken.
func TestFirstLookIsNotNeeded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, func(o *node.Options, _ *testkit.Camera) { o.FirstPicture = time.Hour })
		defer b.end()
		b.say("porch/cmd", "snap")
		b.pass(time.Minute)
		b.broker.take()
		b.pass(2 * time.Hour)
		if n := previews(t, b); n != 0 || b.camera.Opens.Load() != 1 {
			t.Errorf("%d pictures, opened %d times", n, b.camera.Opens.Load())
		}
	})
}

// A private camera is not looked at before it is so no longer; then it is, for what
// was published of it has been cleared.
func TestFirstLookAndPrivacy(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, func(o *node.Options, _ *testkit.Camera) { o.FirstPicture = spread })
		defer b.end()
		for range 2 {
			b.say("porch/set/privacy", "on")
			b.pass(time.Second)
			b.broker.take()
			opens := b.camera.Opens.Load()
			b.pass(2 * spread)
			if n := previews(t, b); n != 0 || b.camera.Opens.Load() != opens {
				t.Errorf("%d pictures while private, opened %d times", n, b.camera.Opens.Load()-opens)
			}
			b.say("porch/set/privacy", "off")
			b.pass(time.Second)
			b.broker.take()
			b.pass(spread)
			if b.camera.Opens.Load() != opens+1 {
				t.Errorf("afterwards opened %d times, want once", b.camera.Opens.Load()-opens)
			}
		}
	})
}

// A camera that sends when it likes may be asleep.
func TestFirstLookLeavesSleepersAlone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, func(o *node.Options, c *testkit.Camera) {
			o.FirstPicture = spread
			c.Prof = camera.Profile{Unasked: true, Deliberate: true}
			c.Every = 24 * time.Hour
		})
		defer b.end()
		b.pass(time.Minute)
		b.broker.take()
		b.pass(time.Hour)
		if n := previews(t, b); n != 0 {
			t.Errorf("%d pictures", n)
		}
	})
}

// A camera that cannot be opened is known before anybody asks for a picture.
func TestFirstLookFindsTrouble(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, func(o *node.Options, c *testkit.Camera) {
			o.FirstPicture = spread
			c.Break(&camera.Error{Code: camera.NoCamera, Text: "no such device"})
		})
		defer b.end()
		b.pass(spread + 2*time.Second)
		s := state(t, b.broker.take())
		if s.Error == nil || s.Error.Code != wire.NoCamera {
			t.Errorf("state %+v, want the error no_camera", s)
		}
		if b.camera.Opens.Load() != 1 {
			t.Errorf("opened %d times, want once", b.camera.Opens.Load())
		}
	})
}
