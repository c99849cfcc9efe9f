package cameratest

import (
	"bytes"
	"context"
	"image"
	stdjpeg "image/jpeg"
	"log/slog"
	"slices"
	"testing"
	"time"

	"camqtt/node/camera"
)

// half is the first half of a picture with an end put to it, as boards send it
// whose memory was too small.
func Half(pic []byte) []byte { return append(slices.Clone(pic[:len(pic)/2]), 0xff, 0xd9) }

// Quiet discards what is logged.
func Quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// flat is a picture that is as bright all over.
func Flat(t testing.TB, level byte) []byte {
	t.Helper()
	m := image.NewGray(image.Rect(0, 0, 32, 32))
	for i := range m.Pix {
		m.Pix[i] = level
	}
	var b bytes.Buffer
	if err := stdjpeg.Encode(&b, m, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// huge is a picture whose header claims 30,000 x 30,000 pixels.
func Huge(t testing.TB) []byte {
	b := Flat(t, 9)
	at := bytes.Index(b, []byte{0xff, 0xc0})
	copy(b[at+5:], []byte{0x75, 0x30, 0x75, 0x30})
	return b
}

// film is a source that shows what a test has made, on fake time.
type Film struct {
	Wait, Every time.Duration // before the first picture, and between pictures
	Frame       func(n int) camera.Frame
}

// Profile has only a kind.
func (*Film) Profile() camera.Profile { return camera.Profile{Kind: "film"} }

// Stream shows the pictures.
func (f *Film) Stream(ctx context.Context, _ camera.Mode, emit func(camera.Frame)) error {
	time.Sleep(f.Wait)
	for n := 0; ctx.Err() == nil; n++ {
		emit(f.Frame(n))
		time.Sleep(f.Every)
	}
	return nil
}

// show streams for so long and returns the pictures and when each came.
func Show(t *testing.T, s camera.Source, d time.Duration) (got []camera.Frame, at []time.Duration, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	start := time.Now()
	err = s.Stream(ctx, camera.Mode{}, func(f camera.Frame) { got, at = append(got, f), append(at, time.Since(start)) })
	return got, at, err
}
