package node

import (
	"bytes"
	"context"
	"log/slog"
	"runtime"
	"testing"
	"testing/iotest"
	"time"

	"camqtt/internal/jpeg"
	"camqtt/internal/testkit"
	"camqtt/internal/wire"
	"camqtt/node/camera"
)

// sink takes every message.
type sink struct{}

func (sink) Publish(context.Context, ...wire.Message) error { return nil }

// streamLoop returns the loop of a node, not running, with an open camera and a viewer.
func streamLoop(t *testing.T, fps float64) *loop {
	t.Helper()
	n, err := New(Options{ID: "a", Source: &testkit.Camera{}, Link: sink{}, Log: slog.New(slog.DiscardHandler), FPS: fps})
	if err != nil {
		t.Fatal(err)
	}
	l := newLoop(n)
	l.runner.open = &run{opened: time.Now(), frames: newSlot[camera.Frame]()}
	l.leases.grant("viewer", lease{})
	l.live.open.Store(true)
	return l
}

// A picture above the rate is neither copied nor given EXIF.
func TestDroppedPictureCost(t *testing.T) {
	const dropped = 200
	pic := testkit.JPEG(t, 640, 480, 1, 6)
	info, err := jpeg.Scan(pic)
	if err != nil {
		t.Fatal(err)
	}
	l, now := streamLoop(t, 1), time.Now()
	frame := camera.Frame{JPEG: pic, Info: info, At: now}
	for range rateBurst {
		l.intake.receive(frame, now)
	}
	given := l.intake.stamp.count
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range dropped {
		l.intake.receive(frame, now)
	}
	runtime.ReadMemStats(&after)
	if given != rateBurst || l.intake.stamp.count != given {
		t.Errorf("%d pictures were given EXIF, want %d", l.intake.stamp.count, rateBurst)
	}
	if cost := (after.TotalAlloc - before.TotalAlloc) / dropped; cost > 4096 || cost > uint64(len(pic))/4 {
		t.Errorf("each dropped picture of %d bytes allocates %d", len(pic), cost)
	}
}

// The memory of a picture is used again only when neither the live stream nor a snap with
// max_age can take it.
func TestPictureMemory(t *testing.T) {
	pics := [][]byte{testkit.JPEG(t, 320, 240, 1, 6), testkit.JPEG(t, 320, 240, 2, 6)}
	sent := bytes.Repeat(bytes.Join(pics, nil), 50)
	stream := jpeg.NewSplitter(iotest.HalfReader(bytes.NewReader(sent)), jpeg.SplitterOptions{})
	l, now := streamLoop(t, 100), time.Now()
	for i := range 100 {
		raw, err := stream.Next()
		if err != nil {
			t.Fatal(err)
		}
		now = now.Add(10 * time.Millisecond)
		l.intake.receive(camera.Frame{JPEG: raw, Buffer: stream.Buffer(), Info: stream.Info(), At: now}, now)
		if kept := l.newest.picture; !bytes.Equal(kept.raw, pics[i%2]) {
			t.Fatalf("picture %d: the newest is another", i)
		}
		waiting := <-l.live.box
		if body := waiting.picture.info.Body(waiting.picture.raw); !bytes.HasSuffix(pics[i%2], body) || &body[0] != &waiting.msgs[0].Payload[0] {
			t.Fatalf("picture %d: what waits for the broker is another", i)
		}
		if i%5 > 0 { // sent now; else it is still being written when later ones come
			if !l.live.send(t.Context(), waiting.msgs) {
				t.Fatal("not sent")
			}
			waiting.picture.drop()
			continue
		}
		defer func() {
			if body := waiting.msgs[0].Payload; !bytes.HasSuffix(pics[i%2], body) {
				t.Errorf("picture %d has changed while it was sent", i)
			}
		}()
	}
}
