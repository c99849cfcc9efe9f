package jpeg

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestScan(t *testing.T) {
	pic := encode(t, 64, 48, 1)
	tests := map[string]struct {
		b    []byte
		want Info
	}{
		"whole":               {pic, Info{Len: len(pic), Width: 64, Height: 48, Components: 3, HasTables: true}},
		"more behind it":      {append(slices.Clone(pic), pic...), Info{Len: len(pic), Width: 64, Height: 48, Components: 3, HasTables: true}},
		"no tables":           {without(t, pic, mDHT), Info{Len: len(without(t, pic, mDHT)), Width: 64, Height: 48, Components: 3}},
		"thumbnail":           {withThumbnail(t, pic), Info{Len: len(withThumbnail(t, pic)), Width: 64, Height: 48, Components: 3, HasTables: true, HasEXIF: true}},
		"APP1 without EXIF":   {with(pic, mAPP1, []byte("http://ns.adobe.com/xap/1.0/")), Info{Len: len(pic) + 32, Width: 64, Height: 48, Components: 3, HasTables: true}},
		"progressive":         {progressive(), Info{Len: len(progressive()), Width: 32, Height: 16, Components: 1, Progressive: true, HasTables: true}},
		"tables only later":   {laterTables(), Info{Len: len(laterTables()), Width: 32, Height: 16, Components: 1, Progressive: true}},
		"fill before markers": {fill(pic), Info{Len: len(pic) + 3, Width: 64, Height: 48, Components: 3, HasTables: true}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Scan(tt.b)
			if err != nil {
				t.Fatal(err)
			}
			got.sof, got.sos, got.exif, got.exnd = 0, 0, 0, 0
			if got != tt.want {
				t.Errorf("Scan = %+v, want %+v", got, tt.want)
			}
		})
	}
}

// laterTables has its Huffman tables only after the first scan, which is too late.
func laterTables() []byte {
	p := string(progressive())
	i := strings.Index(p, "\xff\xc4")
	dht := p[i : i+0x17]
	p = p[:i] + p[i+0x17:]
	j := strings.Index(p, "\xff\xff\xda")
	return []byte(p[:j] + dht + p[j:])
}

func fill(pic []byte) []byte {
	return append([]byte{0xff, 0xd8, 0xff, 0xff, 0xff}, pic[2:]...)
}

func TestScanErrors(t *testing.T) {
	pic := encode(t, 64, 48, 1)
	change := func(at int, c byte) []byte {
		b := slices.Clone(pic)
		b[at] = c
		return b
	}
	sof := strings.Index(string(pic), "\xff\xc0")
	tests := map[string]struct {
		b    []byte
		kind error
		text string
	}{
		"empty":             {nil, ErrTruncated, "at byte 0 of 0: got the end, want start of image"},
		"half of SOI":       {pic[:1], ErrTruncated, "at byte 1 of 1"},
		"text":              {[]byte("GIF89a"), ErrNotJPEG, "at byte 0: got 0x47, want start of image (0xff 0xd8)"},
		"wrong second byte": {[]byte{0xff, 0xd9}, ErrNotJPEG, "at byte 1: got 0xd9"},
		"headers cut":       {pic[:sof+4], ErrTruncated, "want the rest of the headers"},
		"data cut":          {pic[:len(pic)-2], ErrTruncated, "want the rest of the picture"},
		"EOI cut":           {pic[:len(pic)-1], ErrTruncated, "want the rest of the picture"},
		"no marker":         {change(2, 0), ErrFormat, "at byte 2: got 0x00, want a marker"},
		"no length":         {[]byte{0xff, 0xd8, 0xff, 0xdb, 0, 1, 0, 0}, ErrFormat, "at byte 5: got 0x01, want a segment length"},
		"no picture":        {[]byte{0xff, 0xd8, 0xff, 0xd9}, ErrFormat, "want a scan before the end"},
		"SOI within":        {append(slices.Clone(pic[:len(pic)-2]), pic...), ErrFormat, "got 0xd8"},
		"height 0":          {withoutHeight(pic, sof), ErrFormat, "want a height above 0"},
		"5 components":      {change(sof+9, 5), ErrFormat, "got 0x05, want 1 to 4 components"},
		"2 components":      {change(sof+9, 2), ErrFormat, "as long as its components"},
		"no frame header":   {without(t, pic, mSOF0), ErrFormat, "want a frame header before the scan"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			in, err := Scan(tt.b)
			if !errors.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("Scan = %v, want %v with %q", err, tt.kind, tt.text)
			}
			if in != (Info{}) {
				t.Errorf("Scan = %+v beside an error", in)
			}
		})
	}
}

func withoutHeight(pic []byte, sof int) []byte {
	b := slices.Clone(pic)
	b[sof+5], b[sof+6] = 0, 0
	return b
}

// Every cut of a picture is truncated, never malformed, never whole.
func TestScanEveryCut(t *testing.T) {
	pic := withThumbnail(t, encode(t, 40, 40, 3))
	for n := range len(pic) {
		if _, err := Scan(pic[:n]); !errors.Is(err, ErrTruncated) {
			t.Fatalf("Scan of the first %d bytes of %d: %v, want ErrTruncated", n, len(pic), err)
		}
	}
}

func TestScanAllocatesNothing(t *testing.T) {
	pic := encode(t, 320, 240, 1)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := Scan(pic); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("Scan allocates %v times, want 0", n)
	}
}

func FuzzScan(f *testing.F) {
	pic := encode(f, 16, 16, 1)
	f.Add(pic)
	f.Add(progressive())
	f.Add(laterTables())
	f.Add(claiming(f, 12336, 12336))
	f.Add(fill(without(f, pic, mDHT)))
	f.Add(pic[:100])
	f.Add([]byte("\xff\xd8\xff\xe1\x00\x08Exif\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		in, err := Scan(b)
		if err != nil {
			if !errors.Is(err, ErrNotJPEG) && !errors.Is(err, ErrTruncated) && !errors.Is(err, ErrFormat) && !errors.Is(err, ErrHuge) {
				t.Fatalf("unknown kind of error: %v", err)
			}
			return
		}
		if in.Len > len(b) || string(b[:2]) != "\xff\xd8" || string(b[in.Len-2:in.Len]) != "\xff\xd9" {
			t.Fatalf("%+v of %d bytes is not from SOI to EOI", in, len(b))
		}
		if in.Width < 1 || in.Height < 1 || in.Components < 1 || in.Components > 4 || int64(in.Width)*int64(in.Height) > MaxPixels {
			t.Fatalf("%+v is no picture", in)
		}
		// The walk must come to the same end however the bytes arrive.
		var w walk
		for n := range in.Len {
			if st := w.advance(b[:n]); st != walkMore {
				t.Fatalf("status %v after %d of %d bytes", st, n, in.Len)
			}
		}
		if st := w.advance(b[:in.Len]); st != walkDone || w.info != in {
			t.Fatalf("byte by byte: %v %+v, want %+v", st, w.info, in)
		}
	})
}
