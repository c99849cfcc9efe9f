package jpeg_test

import (
	"bytes"
	"image"
	stdjpeg "image/jpeg"
	"io"
	"math"
	"slices"
	"testing"

	"camqtt/internal/jpeg"
	"camqtt/internal/testkit"
)

// TestWalkRealEncoder walks through what ffmpeg encodes, which is what its
// sources send: three subsamplings, fine and coarse, standard and optimal
// tables, in a size that is no multiple of anything. Whole pictures are never
// refused, halves always.
func TestWalkRealEncoder(t *testing.T) {
	ffmpeg := testkit.Tool(t, "ffmpeg")
	var w jpeg.Walker
	for _, format := range []string{"yuvj420p", "yuvj422p", "yuvj444p"} {
		for _, quality := range []string{"2", "31"} {
			for _, tables := range []string{"default", "optimal"} {
				name := format + " " + quality + " " + tables
				out, stderr, status := testkit.Run(t, ffmpeg, "-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=334x218:rate=5",
					"-frames:v", "5", "-pix_fmt", format, "-q:v", quality, "-huffman", tables, "-f", "mjpeg", "-")
				if status != 0 {
					t.Fatalf("%s: %s", name, stderr)
				}
				split := jpeg.NewSplitter(bytes.NewReader(out), jpeg.SplitterOptions{})
				n := 0
				for ; ; n++ {
					pic, err := split.Next()
					if err == io.EOF {
						break
					}
					c, err := w.Walk(pic)
					if err != nil || !c.Deep || c.Columns != 42 || c.Rows != 28 {
						t.Fatalf("%s: %dx%d blocks, deep %v, %v", name, c.Columns, c.Rows, c.Deep, err)
					}
					if mean := brightness(t, pic); math.Abs(mean-c.Mean) > 2 {
						t.Errorf("%s: brightness %.1f, want %.1f", name, c.Mean, mean)
					}
					if _, err := w.Walk(append(slices.Clone(pic[:2*len(pic)/3]), 0xff, 0xd9)); err == nil {
						t.Errorf("%s: two thirds of a picture pass as a whole one", name)
					}
				}
				if n != 5 || split.Dropped() != 0 {
					t.Errorf("%s: %d pictures and %d dropped, want 5 and none", name, n, split.Dropped())
				}
			}
		}
	}
}

// brightness is the mean of a picture that is decoded for it.
func brightness(t *testing.T, pic []byte) float64 {
	t.Helper()
	m, err := stdjpeg.Decode(bytes.NewReader(pic))
	if err != nil {
		t.Fatal(err)
	}
	sum, r := 0, m.Bounds()
	for y := range r.Dy() {
		for x := range r.Dx() {
			sum += int(m.(*image.YCbCr).YCbCrAt(x, y).Y)
		}
	}
	return float64(sum) / float64(r.Dx()*r.Dy())
}
