package jpeg

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"math"
	"slices"
	"strings"
	"testing"
)

// lumaOf is the first component of a decoded picture, padding included.
func lumaOf(t testing.TB, m image.Image) (pix []uint8, stride int) {
	t.Helper()
	switch m := m.(type) {
	case *image.YCbCr:
		return m.Y, m.YStride
	case *image.Gray:
		return m.Pix, m.Stride
	}
	t.Fatalf("image/jpeg made a %T", m)
	return nil, 0
}

// likeDecoded holds a walk against the block means of a full decode.
func likeDecoded(t testing.TB, c Coarse, b []byte) {
	t.Helper()
	pix, stride := lumaOf(t, decode(t, b))
	worst, sum := 0.0, 0.0
	for y := range c.Rows {
		for x := range c.Columns {
			mean := 0.0
			for k := range 64 {
				mean += float64(pix[(8*y+k/8)*stride+8*x+k%8]) / 64
			}
			sum += mean
			worst = max(worst, math.Abs(mean-float64(c.Luma[y*c.Columns+x])))
		}
	}
	if worst > 2 {
		t.Errorf("a block's mean is off by %.1f of 255, want at most 2", worst)
	}
	if mean := sum / float64(c.Rows*c.Columns); math.Abs(mean-c.Mean) > 1 {
		t.Errorf("brightness is %.2f, want %.2f", c.Mean, mean)
	}
}

func mustWalk(t testing.TB, w *Walker, b []byte) Coarse {
	t.Helper()
	c, err := w.Walk(b)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestWalkLikeDecode walks through pictures of every subsampling, with and
// without restart markers, interleaved or not, in whole and odd sizes.
func TestWalkLikeDecode(t *testing.T) {
	var w Walker // one for all: nothing of a picture may stay for the next
	for name, factors := range map[string][][2]int{
		"grey": grey(), "4:4:4": fullTone(), "4:2:2": halfTone(), "4:2:0": quarter(), "4:1:1": fourthRow(), "4:4:0": tall(),
		"grey 2x2": {{2, 2}}, "4 components": {{1, 1}, {1, 1}, {1, 1}, {1, 1}},
	} {
		for _, every := range []int{0, 1, 3, 100} {
			for _, planar := range []bool{false, true} {
				for _, size := range [][2]int{{64, 48}, {41, 29}, {1, 1}, {8, 72}} {
					t.Run(fmt.Sprintf("%s/every %d/planar %v/%dx%d", name, every, planar, size[0], size[1]), func(t *testing.T) {
						r := recipe{width: size[0], height: size[1], factors: factors, every: every, planar: planar, seed: uint64(every)}
						b := cook(t, r)
						c := mustWalk(t, &w, b)
						if !c.Deep || c.Columns != ceil(size[0], 8) || c.Rows != ceil(size[1], 8) || c.Len != len(b) {
							t.Errorf("got %dx%d blocks, deep %v, %d bytes of %d", c.Columns, c.Rows, c.Deep, c.Len, len(b))
						}
						if name == "4 components" {
							return // image/jpeg makes CMYK of it
						}
						if planar && every > 0 {
							// image/jpeg cannot do this; it must look like the interleaved picture.
							luma := slices.Clone(c.Luma)
							r.planar = false
							if c = mustWalk(t, &w, cook(t, r)); !slices.Equal(c.Luma, luma) {
								t.Error("the scans of single components make another picture")
							}
							return
						}
						likeDecoded(t, c, b)
						if every == 0 && !planar && size[0] == 64 && name != "grey 2x2" {
							r.noTables = true
							if got := mustWalk(t, &w, cook(t, r)); !slices.Equal(got.Luma, c.Luma) {
								t.Error("without Huffman tables it looks different")
							}
						}
					})
				}
			}
		}
	}
}

// TestWalkStrange walks through what is seldom and yet right.
func TestWalkStrange(t *testing.T) {
	var w Walker
	pic := encode(t, 64, 48, 1)
	want := slices.Clone(mustWalk(t, &w, pic).Luma)
	sof := strings.Index(string(pic), "\xff\xc0")
	as := func(m byte) []byte { b := slices.Clone(pic); b[sof+1] = m; return b }
	fillEnd := slices.Insert(slices.Clone(pic), len(pic)-2, 0xff, 0xff, 0xff)
	closing := recipe{width: 64, height: 48, factors: quarter(), every: 4, seed: 1}
	plain := slices.Clone(mustWalk(t, &w, cook(t, closing)).Luma)
	closing.closing = true
	for name, tt := range map[string]struct {
		b    []byte
		luma []uint8 // nil: markers only
	}{
		"no tables":               {without(t, pic, mDHT), want},
		"thumbnail":               {withThumbnail(t, pic), want},
		"fill after the data":     {fillEnd, want},
		"more behind it":          {append(slices.Clone(pic), pic...), want},
		"extended":                {as(mSOF1), want},
		"restart marker too many": {cook(t, closing), plain},
		"progressive":             {as(mSOF2), nil},
		"arithmetic":              {as(0xc9), nil},
		"data left":               {slices.Insert(slices.Clone(pic), len(pic)-2, 0x55, 0x55), want},
		"restart at the end":      {slices.Insert(slices.Clone(pic), len(pic)-2, 0xff, mRST0), want},
	} {
		c := mustWalk(t, &w, tt.b)
		if c.Deep != (tt.luma != nil) || !slices.Equal(c.Luma, tt.luma) || c.Width != 64 {
			t.Errorf("%s: deep %v, %d blocks, want %d", name, c.Deep, len(c.Luma), len(tt.luma))
		}
	}
}

func TestWalkDamage(t *testing.T) {
	pic := cook(t, recipe{width: 96, height: 64, factors: halfTone(), every: 6, seed: 3})
	plain := cook(t, recipe{width: 96, height: 64, factors: halfTone(), seed: 3})
	if bytes.Count(pic, []byte{0xff, mRST0 + 2}) != 1 {
		t.Fatal("a marker is not where the test wants it")
	}
	rst := bytes.Index(pic, []byte{0xff, mRST0 + 2})
	sos := bytes.Index(pic, []byte{0xff, mSOS})
	change := func(b []byte, at int, to ...byte) []byte {
		b = slices.Clone(b)
		copy(b[at:], to)
		return b
	}
	for name, tt := range map[string]struct {
		b    []byte
		text string
	}{
		"half":                  {append(slices.Clone(plain[:len(plain)/2]), 0xff, mEOI), "got the end of the data"},
		"nothing":               {append(slices.Clone(plain[:sos+12]), 0xff, mEOI), "got the end of the data"},
		"restart marker lost":   {slices.Delete(slices.Clone(pic), rst, rst+2), ""},
		"wrong restart marker":  {change(pic, rst, 0xff, mRST0+5), "no restart marker"},
		"interval lost":         {slices.Delete(slices.Clone(pic), rst, bytes.Index(pic, []byte{0xff, mRST0 + 3})), "no restart marker"},
		"restart out of place":  {slices.Insert(slices.Clone(plain), len(plain)-400, 0xff, mRST0), "got the end of the data"},
		"component twice":       {change(pic, sos+7, 1), "makes no sense"},
		"table that is not":     {change(pic, sos+6, 0x33), "makes no sense"},
		"too many codes":        {change(pic, bytes.Index(pic, []byte{0xff, mDHT})+5, 9), "makes no sense"},
		"sampling 0":            {change(pic, bytes.Index(pic, []byte{0xff, mSOF0})+11, 0), "makes no sense"},
		"components left out":   {cutScans(t), "want the data of component 2 of 3"},
		"restart interval of 3": {change(pic, bytes.Index(pic, []byte{0xff, mDRI})+4, 0, 3), "no restart marker"},
	} {
		var w Walker
		c, err := w.Walk(tt.b)
		switch {
		case err == nil:
			t.Errorf("%s: got none, want an error", name)
		case name == "nothing": // may also be seen by what it means
			if !errors.Is(err, ErrDamaged) {
				t.Errorf("%s: %v", name, err)
			}
		case !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), tt.text) || !strings.HasPrefix(err.Error(), "at byte "):
			t.Errorf("%s: got %v, want ErrDamaged with %q", name, err, tt.text)
		}
		if c.Luma != nil || c.Deep {
			t.Errorf("%s: got a picture beside the error", name)
		}
	}
	var w Walker
	for n := range len(plain) {
		if _, err := w.Walk(plain[:n]); !errors.Is(err, ErrTruncated) {
			t.Fatalf("the first %d bytes: %v, want ErrTruncated", n, err)
		}
	}
	if _, err := w.Walk([]byte("GIF89a")); !errors.Is(err, ErrNotJPEG) {
		t.Errorf("no JPEG: %v", err)
	}
}

// cutScans is a picture whose second and third scan are missing.
func cutScans(t testing.TB) []byte {
	b := cook(t, recipe{width: 32, height: 32, factors: fullTone(), planar: true})
	first := bytes.Index(b, []byte{0xff, mSOS})
	second := first + 2 + bytes.Index(b[first+2:], []byte{0xff, mSOS})
	return append(b[:second], 0xff, mEOI)
}

// claiming is a picture whose header claims another size.
func claiming(t testing.TB, width, height int) []byte {
	b := encode(t, 16, 16, 1)
	sof := bytes.Index(b, []byte{0xff, mSOF0})
	copy(b[sof+5:], []byte{byte(height >> 8), byte(height), byte(width >> 8), byte(width)})
	return b
}

// TestHuge refuses by the header what nobody could hold in memory.
func TestHuge(t *testing.T) {
	for size, want := range map[[2]int]bool{
		{30000, 30000}: true, {65535, 65535}: true, {7072, 7072}: true, {50000, 1001}: true,
		{7071, 7071}: false, {50000, 1000}: false, {65535, 1}: false,
	} {
		b := claiming(t, size[0], size[1])
		_, err := Scan(b)
		if got := CheckSize(b); errors.Is(got, ErrHuge) != want || (got != nil) != want || errors.Is(err, ErrHuge) != want {
			t.Errorf("%v: CheckSize %v, Scan %v, want refused %v", size, got, err, want)
		}
		if want && !strings.Contains(err.Error(), fmt.Sprintf("got %dx%d pixels, want a picture of 50 megapixels or less", size[0], size[1])) {
			t.Errorf("%v: %v", size, err)
		}
		var w Walker
		if _, err := w.Walk(b); errors.Is(err, ErrHuge) != want || err == nil || want && w.luma != nil {
			t.Errorf("%v: Walk %v with %d blocks made", size, err, len(w.luma))
		}
		// A stream goes on behind it.
		good := encode(t, 16, 16, 2)
		for name, stream := range map[string][]byte{"bare": append(slices.Clone(b), good...), "parts": append(measured(b), measured(good)...)} {
			got, s, _ := splitAll(t, bytes.NewReader(stream), SplitterOptions{})
			if want && (len(got) != 1 || !bytes.Equal(got[0], good) || s.Dropped() == 0) {
				t.Errorf("%v, %s: split into %v, %d dropped", size, name, lengths(got), s.Dropped())
			}
		}
	}
	for _, b := range [][]byte{nil, []byte("no JPEG"), claiming(t, 30000, 30000)[:100]} {
		if err := CheckSize(b); err != nil {
			t.Errorf("of %d bytes that claim nothing: %v", len(b), err)
		}
	}
}

func TestWalkAllocatesNothing(t *testing.T) {
	pics := [][]byte{
		encode(t, 320, 240, 1), without(t, encode(t, 160, 120, 1), mDHT),
		cook(t, recipe{width: 64, height: 48, factors: fullTone(), every: 3}),
	}
	var w Walker
	walk := func() {
		for _, p := range pics {
			if _, err := w.Walk(p); err != nil {
				t.Fatal(err)
			}
		}
	}
	walk()
	if n := testing.AllocsPerRun(50, walk); n != 0 {
		t.Errorf("Walk allocates %v times, want 0", n)
	}
}

// FuzzWalk lets anything be walked through. A Walker that was used before says
// the same as a new one, and nothing costs more than the bytes that came.
func FuzzWalk(f *testing.F) {
	f.Add(encode(f, 40, 24, 1), uint16(0), byte(0))
	f.Add(without(f, encode(f, 16, 16, 1), mDHT), uint16(300), byte(0x55))
	f.Add(progressive(), uint16(9), byte(1))
	f.Add(cutScans(f), uint16(20), byte(2))
	for i, factors := range [][][2]int{grey(), fullTone(), halfTone(), quarter(), fourthRow(), {{1, 1}, {2, 2}, {1, 2}}} {
		f.Add(cook(f, recipe{width: 30, height: 20, factors: factors, every: i, planar: i == 1, closing: i == 2}), uint16(700), byte(8))
	}
	used := &Walker{}
	f.Fuzz(func(t *testing.T, b []byte, at uint16, flip byte) {
		if int(at) < len(b) {
			b[at] ^= flip
		}
		var w Walker
		c, err := w.Walk(b)
		again, err2 := used.Walk(b)
		if fmt.Sprint(err) != fmt.Sprint(err2) || !slices.Equal(c.Luma, again.Luma) {
			t.Fatalf("a new walker: %v, a used one: %v", err, err2)
		}
		in, scanErr := Scan(b)
		if scanErr != nil && err == nil {
			t.Fatalf("Walk takes what Scan does not: %v", scanErr)
		}
		if err != nil {
			if scanErr == nil && !errors.Is(err, ErrDamaged) {
				t.Fatalf("unknown kind of error: %v", err)
			}
			return
		}
		if c.Info != in || c.Deep != (len(c.Luma) > 0) || len(c.Luma) != c.Columns*c.Rows || c.Mean < 0 || c.Mean > 255 {
			t.Fatalf("%+v, Scan %+v", c, in)
		}
		// No block without data: the work is bounded by what came.
		if len(c.Luma) > 4*len(b) {
			t.Fatalf("%d blocks of %d bytes", len(c.Luma), len(b))
		}
	})
}
