package testcard

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"io"
	"slices"
	"testing"
	"time"

	"camqtt/internal/testkit/cameratest"
	"camqtt/internal/testkit/faketime"
	"camqtt/node/camera"
)

// The grid is kept to the nanosecond, and At is the moment drawn.
func TestCardGrid(t *testing.T) {
	faketime.Run(t, func(t *testing.T) {
		start := time.Now()
		s := open(t, "test:320x240", camera.Options{})
		for i, f := range cameratest.Take(t, s, camera.Mode{FPS: 4}, 9) {
			if want := start.Add(time.Duration(i) * 250 * time.Millisecond); !f.At.Equal(want) {
				t.Errorf("picture %d is of %v, want %v", i, f.At.Sub(start), want.Sub(start))
			}
		}
	})
}

// Pictures that are late are left out; those that follow are on the grid again.
func TestCardSkipsWhenLate(t *testing.T) {
	faketime.Run(t, func(t *testing.T) {
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 950*time.Millisecond)
		defer cancel()
		var at []time.Duration
		err := open(t, "test:64x64?fps=10", camera.Options{}).Stream(ctx, camera.Mode{}, func(f camera.Frame) {
			at = append(at, f.At.Sub(start)/time.Millisecond)
			if len(at) == 3 {
				time.Sleep(350 * time.Millisecond)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if want := []time.Duration{0, 100, 200, 600, 700, 800, 900}; !slices.Equal(at, want) {
			t.Errorf("pictures at %d ms, want %d", at, want)
		}
	})
}

func TestCardObeysMode(t *testing.T) {
	tests := map[string]struct {
		source string
		mode   camera.Mode
		want   camera.Size
	}{
		"default":        {"test:", camera.Mode{}, camera.Size{Width: 640, Height: 480}},
		"size":           {"test:320x240", camera.Mode{}, camera.Size{Width: 320, Height: 240}},
		"size as a key":  {"test:?size=1280x720", camera.Mode{}, camera.Size{Width: 1280, Height: 720}},
		"asked":          {"test:320x240", camera.Mode{Width: 800, Height: 600}, camera.Size{Width: 800, Height: 600}},
		"odd and narrow": {"test:", camera.Mode{Width: 17, Height: 333}, camera.Size{Width: 17, Height: 333}},
		"odd and flat":   {"test:?label=" + fmt.Sprintf("%0200d", 1), camera.Mode{Width: 1001, Height: 16}, camera.Size{Width: 1001, Height: 16}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := cameratest.Take(t, open(t, tt.source, camera.Options{}), tt.mode, 1)[0]
			if got := cameratest.Decode(t, f.JPEG).Rect.Size(); got != image.Pt(tt.want.Width, tt.want.Height) {
				t.Errorf("picture of %v, want %v", got, tt.want)
			}
		})
	}
	s := open(t, "test:", camera.Options{})
	low, high := cameratest.Take(t, s, camera.Mode{Quality: 10}, 1)[0], cameratest.Take(t, s, camera.Mode{Quality: 95}, 1)[0]
	if 3*len(low.JPEG) > len(high.JPEG) {
		t.Errorf("quality 10 makes %d bytes, 95 %d", len(low.JPEG), len(high.JPEG))
	}
	if n := len(cameratest.Take(t, s, camera.Mode{}, 1)[0].JPEG); n < 20_000 || n > 50_000 {
		t.Errorf("a VGA picture has %d bytes, want 20,000 to 50,000 as from a camera", n)
	}
}

// The clock can be read from the decoded picture: its letters are where they
// would be drawn for At, at the smallest size offered and the usual quality.
func TestCardShowsItsTime(t *testing.T) {
	for _, source := range []string{"test:320x240?label=porch", "test:640x480?label=porch", "test:320x240?label=porch&quality=40"} {
		faketime.Run(t, func(t *testing.T) {
			f := cameratest.Take(t, open(t, source, camera.Options{}), camera.Mode{}, 4)[3]
			got := cameratest.Decode(t, f.JPEG)
			right, next := clockDiffers(got, f.At), clockDiffers(got, f.At.Add(time.Millisecond))
			if right > 20 || next < right+20 {
				t.Errorf("%s: %d points of the clock differ from the time of the picture, %d from a millisecond later", source, right, next)
			}
		})
	}
}

// clockDiffers counts the points of the clock in a picture that are light where
// those of a clock at the given time are dark, or the other way round.
func clockDiffers(got *image.YCbCr, at time.Time) (wrong int) {
	w, h := got.Rect.Dx(), got.Rect.Dy()
	card := newCard(w, h, 0, "")
	card.draw(at)
	top := (h - max(2, h/60) - 43*card.scale) &^ 1 // three lines of small text and a margin up
	for y := top; y < top+26*card.scale; y++ {
		for x := 4 * card.scale; x < 172*card.scale; x++ {
			if (card.img.Y[y*card.img.YStride+x] > 128) != (got.Y[y*got.YStride+x] > 128) {
				wrong++
			}
		}
	}
	return wrong
}

// Two cameras are told apart by their colour, and one moves.
func TestCardLooks(t *testing.T) {
	mean := func(source string) (cb, cr int) {
		m := cameratest.Decode(t, cameratest.Take(t, open(t, source, camera.Options{}), camera.Mode{Width: 320, Height: 240}, 1)[0].JPEG)
		for i := range m.Cb {
			cb, cr = cb+int(m.Cb[i]), cr+int(m.Cr[i])
		}
		return cb / len(m.Cb), cr / len(m.Cr)
	}
	for _, pair := range [][2]string{{"test:?label=porch", "test:?label=garden"}, {"test:?hue=0", "test:?hue=120"}} {
		b1, r1 := mean(pair[0])
		b2, r2 := mean(pair[1])
		if d := (b1-b2)*(b1-b2) + (r1-r2)*(r1-r2); d < 30*30 {
			t.Errorf("%s and %s differ by %d in Cb and %d in Cr, want more", pair[0], pair[1], b1-b2, r1-r2)
		}
	}
	two := cameratest.Take(t, open(t, "test:?fps=4", camera.Options{}), camera.Mode{}, 2)
	a, b := cameratest.Decode(t, two[0].JPEG), cameratest.Decode(t, two[1].JPEG)
	moved := 0
	for i := range a.Y {
		if d := int(a.Y[i]) - int(b.Y[i]); d > 40 || d < -40 {
			moved++
		}
	}
	if moved < len(a.Y)/100 || moved > len(a.Y)/4 {
		t.Errorf("%d of %d points moved, want some and not most", moved, len(a.Y))
	}
}

// A frame is the receiver's: the next picture must not be drawn into it.
func TestCardGivesAway(t *testing.T) {
	faketime.Run(t, func(t *testing.T) {
		var first, was []byte
		ctx, cancel := context.WithTimeout(t.Context(), 350*time.Millisecond)
		defer cancel()
		if err := open(t, "test:64x64", camera.Options{}).Stream(ctx, camera.Mode{}, func(f camera.Frame) {
			if first == nil {
				first, was = f.JPEG, bytes.Clone(f.JPEG)
			}
		}); err != nil {
			t.Fatal(err)
		}
		if first == nil || !bytes.Equal(first, was) {
			t.Error("the first picture changed afterwards")
		}
	})
}

func BenchmarkCard(b *testing.B) {
	for _, z := range []camera.Size{{Width: 320, Height: 240}, {Width: 640, Height: 480}, {Width: 1280, Height: 720}} {
		card := newCard(z.Width, z.Height, 30, "porch")
		at := time.Date(2026, 11, 20, 4, 30, 0, 123e6, time.UTC)
		b.Run("draw/"+z.String(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				at = at.Add(97 * time.Millisecond)
				card.draw(at)
			}
		})
		b.Run("draw and encode/"+z.String(), func(b *testing.B) {
			b.ReportAllocs()
			var out picture
			for b.Loop() {
				at = at.Add(97 * time.Millisecond)
				card.draw(at)
				if err := card.encode(out.fresh(), cardQuality); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(out.b)), "jpeg-bytes")
		})
	}
}

var _ io.ByteWriter = (*picture)(nil)
