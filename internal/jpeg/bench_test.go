package jpeg

import (
	"bytes"
	stdjpeg "image/jpeg"
	"io"
	"testing"
	"time"
)

// naive is what many programs do: everything from ff d8 to the next ff d9. It is
// here for comparison; a thumbnail in EXIF ends its picture too early.
func naive(b []byte) (n int) {
	for {
		i := bytes.Index(b, []byte{0xff, 0xd8})
		if i < 0 {
			return n
		}
		j := bytes.Index(b[i:], []byte{0xff, 0xd9})
		if j < 0 {
			return n
		}
		b = b[i+j+2:]
		n++
	}
}

// The reason why nobody should do that.
func TestNaiveFallsForThumbnails(t *testing.T) {
	pic := withThumbnail(t, encode(t, 64, 48, 1))
	stream := bytes.Repeat(pic, 4)
	if n := naive(stream); n != 4 {
		t.Errorf("naive search finds %d pieces, want 4 of which none is a picture", n)
	}
	if end := bytes.Index(pic, []byte{0xff, 0xd9}) + 2; end == len(pic) {
		t.Error("the thumbnail does not end before the picture: this test shows nothing")
	}
	if got, _, _ := splitAll(t, bytes.NewReader(stream), SplitterOptions{}); len(got) != 4 || !bytes.Equal(got[3], pic) {
		t.Errorf("the splitter finds %v, want 4 of %d bytes", lengths(got), len(pic))
	}
}

func BenchmarkScan(b *testing.B) {
	for _, z := range []struct {
		name string
		w, h int
	}{{"VGA", 640, 480}, {"720p", 1280, 720}} {
		pic := encode(b, z.w, z.h, 1)
		b.Run(z.name, func(b *testing.B) {
			b.SetBytes(int64(len(pic)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Scan(pic); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(z.name+"/naive", func(b *testing.B) {
			b.SetBytes(int64(len(pic)))
			for b.Loop() {
				if naive(pic) != 1 {
					b.Fatal("not found")
				}
			}
		})
	}
}

// BenchmarkWalk is a walk through a picture's data beside a full decode.
func BenchmarkWalk(b *testing.B) {
	for _, z := range []struct {
		name string
		w, h int
	}{{"VGA", 640, 480}, {"720p", 1280, 720}, {"1080p", 1920, 1080}} {
		pic := encode(b, z.w, z.h, 1)
		b.Run(z.name, func(b *testing.B) {
			var w Walker
			b.SetBytes(int64(len(pic)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := w.Walk(pic); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(z.name+"/decode", func(b *testing.B) {
			b.SetBytes(int64(len(pic)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := stdjpeg.Decode(bytes.NewReader(pic)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// naiveSplit is a splitter made of that search: it hands out slices of its own.
func naiveSplit(b, kept []byte) []byte {
	i := bytes.Index(b, []byte{0xff, 0xd8})
	j := bytes.Index(b[i:], []byte{0xff, 0xd9})
	return append(kept, b[i:i+j+2]...)
}

func BenchmarkSplitter(b *testing.B) {
	pic := encode(b, 640, 480, 1)
	b.Run("naive", func(b *testing.B) {
		b.SetBytes(int64(len(pic)))
		b.ReportAllocs()
		for b.Loop() {
			if len(naiveSplit(pic, nil)) != len(pic) {
				b.Fatal("not found")
			}
		}
	})
	for name, unit := range map[string][]byte{"bare": pic, "parts": measured(pic)} {
		for size, chunk := range map[string]int{"4k": 4 << 10, "64k": 64 << 10} {
			b.Run(name+"/reads of "+size, func(b *testing.B) {
				src := &loop{b: unit}
				s := NewSplitter(readFunc(func(p []byte) (int, error) { return copyLoop(src, p[:min(len(p), chunk)]) }), SplitterOptions{})
				b.SetBytes(int64(len(unit)))
				b.ReportAllocs()
				for b.Loop() {
					if _, err := s.Next(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// copyLoop is loop.Read at the speed of memory.
func copyLoop(l *loop, p []byte) (int, error) {
	n := copy(p, l.b[l.i:])
	l.i = (l.i + n) % len(l.b)
	return n, nil
}

// Rubbish is the splitter's slowest case.
func BenchmarkSplitterRubbish(b *testing.B) {
	unit := bytes.Repeat([]byte("\xff\xd8\xff\xe1\x00\x02\xff\x00 text\r\n"), 5000)
	b.SetBytes(int64(len(unit)))
	for b.Loop() {
		if _, err := NewSplitter(bytes.NewReader(unit), SplitterOptions{}).Next(); err != io.EOF {
			b.Fatal(err)
		}
	}
}

func BenchmarkDress(b *testing.B) {
	pic := without(b, encode(b, 640, 480, 1), mDHT)
	in := mustScan(b, pic)
	e := EXIF{Time: time.Now(), Make: "camqtt", Model: "test card", ID: "0190abcd0190abcd0190abcd0190abcd"}
	b.SetBytes(int64(len(pic)))
	b.ReportAllocs()
	for b.Loop() {
		Dress(pic, in, e)
	}
}

func BenchmarkCaptureTime(b *testing.B) {
	pic := encode(b, 640, 480, 1)
	pic = Dress(pic, mustScan(b, pic), fullEXIF())
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := CaptureTime(pic); !ok {
			b.Fatal("no time")
		}
	}
}
