package jpeg

import (
	"bytes"
	"image"
	stdjpeg "image/jpeg"
	"math/rand/v2"
	"strings"
	"testing"
)

// encode makes a real JPEG with so much grain that its data holds many 0xff.
func encode(t testing.TB, width, height int, seed uint64) []byte {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 1))
	m := image.NewYCbCr(image.Rect(0, 0, width, height), image.YCbCrSubsampleRatio420)
	for i := range m.Y {
		m.Y[i] = uint8(i/width) + uint8(rng.UintN(40))
	}
	for i := range m.Cb {
		m.Cb[i], m.Cr[i] = uint8(100+rng.UintN(20)), uint8(i)
	}
	var b bytes.Buffer
	if err := stdjpeg.Encode(&b, m, &stdjpeg.Options{Quality: 80}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func decode(t testing.TB, b []byte) image.Image {
	t.Helper()
	m, err := stdjpeg.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// segments is the markers of a picture up to the first scan, as slices of b.
func segments(t testing.TB, b []byte) (head [][]byte, rest []byte) {
	t.Helper()
	for i := 2; ; {
		if b[i+1] == mSOS {
			return head, b[i:]
		}
		n := 2 + int(b[i+2])<<8 + int(b[i+3])
		head = append(head, b[i:i+n])
		i += n
	}
}

// without is b without the segments of one marker, as a webcam leaves them out.
func without(t testing.TB, b []byte, marker byte) []byte {
	t.Helper()
	out := []byte{0xff, mSOI}
	head, rest := segments(t, b)
	for _, s := range head {
		if s[1] != marker {
			out = append(out, s...)
		}
	}
	return append(out, rest...)
}

// with is b with a segment put right after the start of image.
func with(b []byte, marker byte, payload []byte) []byte {
	n := len(payload) + 2
	out := []byte{0xff, mSOI, 0xff, marker, byte(n >> 8), byte(n)}
	return append(append(out, payload...), b[2:]...)
}

// withThumbnail is b with an EXIF block that holds a whole small JPEG, the way
// cameras have it: what looks for ff d8 and ff d9 falls for it.
func withThumbnail(t testing.TB, b []byte) []byte {
	t.Helper()
	return with(b, mAPP1, append([]byte(exifHead+"MM\x00\x2a\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00"), encode(t, 32, 24, 9)...))
}

// progressive is the markers of a progressive picture with two scans; the data
// in them means nothing.
func progressive() []byte {
	return []byte("\xff\xd8" +
		"\xff\xdb\x00\x43\x00" + strings.Repeat("\x01", 64) +
		"\xff\xc2\x00\x0b\x08\x00\x10\x00\x20\x01\x01\x11\x00" + // 32x16, grey
		"\xff\xc4\x00\x15\x00\x01" + "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" + "\x00\x00" +
		"\xff\xda\x00\x08\x01\x01\x00\x00\x00\x01" + "\x12\xff\x00\x34\xff\xd0\x56" +
		"\xff\xff\xda\x00\x08\x01\x01\x00\x00\x00\x00" + "\x78\x9a" +
		"\xff\xd9")
}
