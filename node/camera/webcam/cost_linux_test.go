package webcam

import (
	"bytes"
	"image"
	stdjpeg "image/jpeg"
	"math/rand/v2"
	"testing"
	"time"

	"camqtt/internal/jpeg"
	"camqtt/node/camera"
	"camqtt/node/camera/webcam/v4l2"
)

// noisy is a picture of 640x480 like those of a webcam in a room: shapes with
// noise on them.
func noisy(b *testing.B) []byte {
	b.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	im := image.NewYCbCr(image.Rect(0, 0, 640, 480), image.YCbCrSubsampleRatio420)
	for i := range im.Y {
		x, y := i%640, i/640
		im.Y[i] = byte(60 + x/8 + y/16 + (x/80+y/60)%2*40 + random.IntN(22))
	}
	for i := range im.Cb {
		im.Cb[i], im.Cr[i] = byte(110+i%320/16), byte(140-i/320/12)
	}
	var out bytes.Buffer
	if err := stdjpeg.Encode(&out, im, &stdjpeg.Options{Quality: 85}); err != nil {
		b.Fatal(err)
	}
	return out.Bytes()
}

// BenchmarkVGA is what a picture of 640x480 costs, in the ways there are to
// treat it. Where instructions are counted, a nanosecond is one of them.
func BenchmarkVGA(b *testing.B) {
	pic := noisy(b)
	raw := v4l2.Format{FourCC: v4l2.YUYV, Size: v4l2.Size{Width: 640, Height: 480}, Stride: 1280}
	yuyv := paint(raw, 100, 120, 140)
	for i := range yuyv {
		yuyv[i] ^= byte(i * i >> 9 & 31)
	}
	developer := newDeveloper(raw, rawQuality)
	var walker jpeg.Walker
	passing := webcamStream{settling: &camera.ExposureSettler{}}
	for _, way := range []struct {
		name string
		do   func() error
	}{
		// From the driver's buffer to the bytes that are published.
		{"pass", func() error {
			got, err := passing.grab(pic)
			if err == nil {
				got, err = passing.finish(got)
			}
			if err != nil {
				return err
			}
			in, err := jpeg.Scan(got) // the node's own
			if err == nil {
				jpeg.Dress(got, in, jpeg.EXIF{Time: time.Now(), Make: "Acme", Model: "HD Cam"})
			}
			return err
		}},
		// A small picture to find motion in, and a check of the data.
		{"walk", func() error {
			_, err := walker.Walk(pic)
			return err
		}},
		// From what a camera without JPEGs gives to a JPEG.
		{"encode", func() error {
			err := developer.take(yuyv)
			if err == nil {
				_, err = developer.jpeg()
			}
			return err
		}},
		// For comparison: what looking at the pixels would cost.
		{"decode", func() error {
			_, err := stdjpeg.Decode(bytes.NewReader(pic))
			return err
		}},
	} {
		b.Run(way.name, func(b *testing.B) {
			b.SetBytes(int64(len(pic)))
			b.ReportAllocs()
			for b.Loop() {
				if err := way.do(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
