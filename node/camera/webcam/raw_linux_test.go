package webcam

import (
	"bytes"
	"image/color"
	stdjpeg "image/jpeg"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"camqtt/internal/jpeg"
	"camqtt/node/camera"
	"camqtt/node/camera/webcam/v4l2"
)

func TestParseWebcam(t *testing.T) {
	for rest, want := range map[string]webcamOptions{
		"":                            {settle: unsaid},
		"/dev/video0":                 {where: "/dev/video0", settle: unsaid},
		"usb-1-1.2#2?settle=0":        {where: "usb-1-1.2#2"},
		"/dev/v4l/by-id/x-index0?":    {where: "/dev/v4l/by-id/x-index0", settle: unsaid},
		"?format=nv12&settle=500ms":   {settle: 500 * time.Millisecond, format: v4l2.NV12},
		"?b=1&a=-2&c=on&d=False&e=+3": {settle: unsaid, set: []setting{{"b", 1}, {"a", -2}, {"c", 1}, {"d", 0}, {"e", 3}}},
	} {
		got, err := parseWebcam(rest)
		if err != nil || got.where != want.where || got.settle != want.settle || got.format != want.format || !slices.Equal(got.set, want.set) {
			t.Errorf("v4l2:%s is %+v, %v, want %+v", rest, got, err, want)
		}
	}
	for rest, want := range map[string]string{
		"video0":                 "want v4l2:/dev/video0, v4l2:/dev/v4l/by-id/",
		"0":                      "v4l2: alone for the only camera",
		"usb-":                   "want v4l2:/dev/video0",
		"?settle=2m":             `settle "2m": want a time up to 10s`,
		"?settle=-1s":            `settle "-1s"`,
		"?settle=2":              `settle "2"`,
		"?format=H264":           `format "H264": want one of MJPG, JPEG, YUYV`,
		"?brightness=high":       `brightness "high": want a whole number, on or off`,
		"?brightness=9999999999": `brightness "9999999999"`,
		"?%zz=1":                 "invalid URL escape",
		"?gain=1&gain=2":         "gain is given twice",
		"?settle=1s&settle=2s":   "settle is given twice",
	} {
		_, err := openSource("v4l2:"+rest, camera.Options{})
		if camera.CodeOf(err) != camera.Config || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("v4l2:%s: %v (%s), want config with %q", rest, err, camera.CodeOf(err), want)
		}
	}
}

// paint makes a raw picture of one colour, with a stride longer than a row.
func paint(f v4l2.Format, y, cb, cr byte) []byte {
	var b []byte
	row := func(stride, n int, of ...byte) {
		r := make([]byte, stride)
		for i := range n {
			copy(r[i*len(of):], of)
		}
		b = append(b, r...)
	}
	for range f.Height {
		switch f.FourCC {
		case v4l2.YUYV:
			row(f.Stride, f.Width/2, y, cb, y, cr)
		case v4l2.UYVY:
			row(f.Stride, f.Width/2, cb, y, cr, y)
		case v4l2.RGB3:
			r, g, bl := color.YCbCrToRGB(y, cb, cr)
			row(f.Stride, f.Width, r, g, bl)
		default:
			row(f.Stride, f.Width, y)
		}
	}
	for range f.Height / 2 {
		switch f.FourCC {
		case v4l2.NV12:
			row(f.Stride, f.Width/2, cb, cr)
		case v4l2.YU12: // two rows of half the width and half the stride
			row(f.Stride/2, f.Width/2, cb)
		}
	}
	if f.FourCC == v4l2.YU12 {
		for range f.Height / 2 {
			row(f.Stride/2, f.Width/2, cr)
		}
	}
	return b
}

func rawFormat(f v4l2.FourCC) v4l2.Format {
	stride := map[v4l2.FourCC]int{v4l2.YUYV: 2 * 32, v4l2.UYVY: 2 * 32, v4l2.RGB3: 3 * 32}[f]
	return v4l2.Format{FourCC: f, Size: v4l2.Size{Width: 32, Height: 16}, Stride: max(stride, 32) + 16, FullRange: true}
}

// TestDeveloper: the same colour in every format is the same colour in the JPEG.
func TestDeveloper(t *testing.T) {
	for _, f := range pixelFormats()[2:] {
		raw := rawFormat(f)
		d := newDeveloper(raw, 95)
		b := paint(raw, 120, 90, 200)
		if err := d.take(b); err != nil {
			t.Errorf("%s: %v", f, err)
			continue
		}
		pic, err := d.jpeg()
		if err != nil {
			t.Fatal(err)
		}
		in, err := jpeg.Scan(pic)
		if err != nil || in.Width != 32 || in.Height != 16 || in.Len != len(pic) {
			t.Fatalf("%s: Scan = %+v, %v", f, in, err)
		}
		im, err := stdjpeg.Decode(bytes.NewReader(pic))
		if err != nil {
			t.Fatal(err)
		}
		want := color.YCbCr{Y: 120, Cb: 90, Cr: 200}
		if f == v4l2.GREY {
			want.Cb, want.Cr = 128, 128
		}
		for _, p := range [][2]int{{0, 0}, {31, 0}, {0, 15}, {31, 15}, {17, 8}} {
			got := color.YCbCrModel.Convert(im.At(p[0], p[1])).(color.YCbCr)
			if far(got.Y, want.Y) > 3 || far(got.Cb, want.Cb) > 3 || far(got.Cr, want.Cr) > 3 {
				t.Errorf("%s at %v: %v, want about %v", f, p, got, want)
			}
		}
		if mean := d.mean(); f != v4l2.RGB3 && mean != 120 {
			t.Errorf("%s: brightness %v, want 120", f, mean)
		}
		for _, short := range []int{0, 1, raw.Stride, len(b) - raw.Stride - 1} {
			if err := d.take(b[:short]); err == nil && short < len(b)-raw.Stride {
				t.Errorf("%s: %d of %d bytes were taken for a picture", f, short, len(b))
			}
		}
	}
}

func far(a, b byte) int { return int(math.Abs(float64(a) - float64(b))) }

// TestDeveloperRange: video range is stretched to that of a JPEG, so that black
// is black and white is white.
func TestDeveloperRange(t *testing.T) {
	raw := rawFormat(v4l2.YUYV)
	raw.FullRange = false
	d := newDeveloper(raw, 95)
	for in, want := range map[byte]byte{0: 0, 16: 0, 126: 128, 235: 255, 255: 255} {
		if err := d.take(paint(raw, in, 128, 240)); err != nil {
			t.Fatal(err)
		}
		if got := d.colour.Y[0]; got != want {
			t.Errorf("luma %d becomes %d, want %d", in, got, want)
		}
		if cb, cr := d.colour.Cb[0], d.colour.Cr[0]; cb != 128 || cr != 255 {
			t.Errorf("chroma 128 and 240 become %d and %d, want 128 and 255", cb, cr)
		}
	}
}

// FuzzDeveloper: whatever size, stride and bytes a driver comes with, nothing
// is read or written beside the picture.
func FuzzDeveloper(f *testing.F) {
	f.Add(uint8(0), uint8(32), uint8(16), uint8(64), []byte("YUYV"))
	f.Add(uint8(3), uint8(31), uint8(15), uint8(0), make([]byte, 700))
	f.Fuzz(func(t *testing.T, kind, w, h, stride uint8, b []byte) {
		raw := pixelFormats()[2:]
		format := v4l2.Format{FourCC: raw[int(kind)%len(raw)], Size: v4l2.Size{Width: max(1, int(w)), Height: max(1, int(h))}, Stride: int(stride)}
		d := newDeveloper(format, 80)
		if d.take(b) == nil {
			if _, err := d.jpeg(); err != nil {
				t.Error(err)
			}
		}
	})
}

func BenchmarkDeveloper(b *testing.B) {
	for _, f := range []v4l2.FourCC{v4l2.YUYV, v4l2.NV12} {
		b.Run(f.String(), func(b *testing.B) {
			raw := v4l2.Format{FourCC: f, Size: v4l2.Size{Width: 640, Height: 480}, Stride: 1280}
			if f == v4l2.NV12 {
				raw.Stride = 640
			}
			in := paint(raw, 100, 120, 140)
			for i := range in {
				in[i] ^= byte(i * i >> 9 & 31)
			}
			d := newDeveloper(raw, 80)
			b.ReportAllocs()
			for b.Loop() {
				if err := d.take(in); err != nil {
					b.Fatal(err)
				}
				if _, err := d.jpeg(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
