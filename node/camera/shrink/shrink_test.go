package shrink_test

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/jpeg"
	"strings"
	"testing"

	"camqtt/internal/testkit"
	"camqtt/node/camera/shrink"
)

func TestTo(t *testing.T) {
	noisy := testkit.JPEG(t, 640, 480, 1, 255)
	for _, most := range []int{len(noisy) / 2, len(noisy) / 10, 5000} {
		out, err := shrink.To(noisy, most)
		if err != nil {
			t.Errorf("to %d bytes: %v", most, err)
			continue
		}
		conf, err := jpeg.DecodeConfig(bytes.NewReader(out))
		if err != nil || len(out) > most || conf.Width > 640 || conf.Width*3/4-conf.Height > 2 || conf.Height-conf.Width*3/4 > 2 {
			t.Errorf("to %d bytes: %d, %+v, %v", most, len(out), conf, err)
		}
	}
}

// A picture that is large only for what stands beside it keeps its size.
func TestPadding(t *testing.T) {
	pic := testkit.JPEG(t, 640, 480, 1, 0)
	padded := append([]byte{0xff, 0xd8, 0xff, 0xfe, 0xff, 0xff}, make([]byte, 65533)...)
	out, err := shrink.To(append(padded, pic[2:]...), 60_000)
	if err != nil {
		t.Fatal(err)
	}
	img, err := jpeg.Decode(bytes.NewReader(out))
	if err != nil || img.Bounds() != image.Rect(0, 0, 640, 480) {
		t.Errorf("%v, %v", img.Bounds(), err)
	}
}

func TestRefused(t *testing.T) {
	if out, err := shrink.To(testkit.JPEG(t, 640, 480, 1, 0), 100); err == nil {
		t.Errorf("%d bytes for a picture of 640x480", len(out))
	}
	if _, err := shrink.To([]byte("no picture"), 1000); err == nil {
		t.Error("no error for what is no picture")
	}
}

// Sizes that a few bytes can state are refused before room is made for them, of several
// scans smaller ones.
func TestTooManyPixels(t *testing.T) {
	for _, c := range []struct {
		sof  byte
		side uint16
	}{{0xc0, 6000}, {0xc0, 46341}, {0xc0, 65535}, {0xc2, 3000}} {
		pic := testkit.JPEG(t, 64, 64, 1, 0)
		i := bytes.Index(pic, []byte{0xff, 0xc0})
		pic[i+1] = c.sof
		binary.BigEndian.PutUint16(pic[i+5:], c.side)
		binary.BigEndian.PutUint16(pic[i+7:], c.side)
		if _, err := shrink.To(pic, 1000); err == nil || !strings.Contains(err.Error(), "pixels") {
			t.Errorf("frame %#x of %d times %d pixels: %v", c.sof, c.side, c.side, err)
		}
	}
}

func FuzzTo(f *testing.F) {
	f.Add(testkit.JPEG(f, 80, 80, 1, 255), 2000)
	f.Fuzz(func(t *testing.T, b []byte, most int) {
		if conf, err := jpeg.DecodeConfig(bytes.NewReader(b)); err == nil && conf.Width*conf.Height > 1<<16 {
			return // takes long
		}
		if out, err := shrink.To(b, most); err == nil && len(out) > most {
			t.Fatalf("%d bytes: want at most %d", len(out), most)
		}
	})
}
