package jpeg_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	own "camqtt/internal/jpeg"
	"camqtt/internal/testkit"
)

// scene is a picture with edges, a gradient and grain, as binary PPM.
func scene(width, height int) []byte {
	rng := rand.New(rand.NewPCG(uint64(width), 7))
	b := fmt.Appendf(nil, "P6\n%d %d\n255\n", width, height)
	for y := range height {
		for x := range width {
			c := byte(x*200/width) + byte(rng.UintN(24))
			if (x/16+y/24)%3 == 0 {
				c = 255 - c
			}
			b = append(b, c, byte(y*220/height), c/2+byte(rng.UintN(9)))
		}
	}
	return b
}

// encodings are pictures that libjpeg has made, of every kind that cameras send.
func encodings(t *testing.T) map[string][]byte {
	t.Helper()
	cjpeg := testkit.Tool(t, "cjpeg")
	ppm := filepath.Join(t.TempDir(), "scene.ppm")
	if err := os.WriteFile(ppm, scene(232, 168), 0o600); err != nil {
		t.Fatal(err)
	}
	all := map[string][]byte{}
	for name, flags := range map[string]string{
		"4:2:0": "-quality 80", "4:2:2": "-quality 70 -sample 2x1", "4:4:4": "-quality 95 -sample 1x1", "grey": "-grayscale",
		"restart 4:2:2": "-sample 2x1 -restart 5B", "restart 4:2:0": "-restart 1", "optimised": "-optimize -quality 40",
		"progressive": "-progressive", "restart progressive": "-progressive -restart 1",
	} {
		out, stderr, status := testkit.Run(t, cjpeg, append(strings.Fields(flags), ppm)...)
		if status != 0 {
			t.Fatalf("cjpeg %s: %s", flags, stderr)
		}
		all[name] = out
	}
	return all
}

// extraneous is what libjpeg warns of and decodes all the same.
var extraneous = regexp.MustCompile(`^Corrupt JPEG data: \d+ extraneous bytes before marker 0x..$`)

// decoder asks djpeg whether a picture is whole.
type decoder struct{ tool, file string }

func newDecoder(t *testing.T) decoder {
	return decoder{testkit.Tool(t, "djpeg"), filepath.Join(t.TempDir(), "picture.jpg")}
}

// whole reports whether libjpeg decodes all of b, and what it says.
func (d decoder) whole(t *testing.T, b []byte) (bool, string) {
	t.Helper()
	if err := os.WriteFile(d.file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	_, stderr, status := testkit.Run(t, d.tool, "-debug", "-debug", "-debug", "-outfile", os.DevNull, d.file)
	var faults []string
	for line := range strings.Lines(stderr) {
		line = strings.TrimSpace(line)
		if status == 1 {
			faults = []string{line} // the last says why it gave up
			continue
		}
		if (strings.HasPrefix(line, "Corrupt") || strings.HasPrefix(line, "Premature") || strings.HasPrefix(line, "Inconsistent")) && !extraneous.MatchString(line) {
			faults = append(faults, line)
		}
	}
	return (status == 0 || status == 2) && len(faults) == 0, fmt.Sprint(status, " ", strings.Join(faults, "; "))
}

// accepted reports whether a picture would be passed on, after both ways to look.
func accepted(b []byte) (markers, full error) {
	var w own.Walker
	_, markers = own.Scan(b)
	_, full = w.Walk(b)
	return markers, full
}

func dataAt(b []byte) int { return bytes.Index(b, []byte{0xff, 0xda}) + 14 }

// segment is a marker segment whose length field says n.
func segment(marker byte, n int, body string) []byte {
	return append([]byte{0xff, marker, byte(n >> 8), byte(n)}, body...)
}

func insert(b []byte, at int, what ...byte) []byte {
	return slices.Insert(slices.Clone(b), at, what...)
}

// TestWholeAsLibjpegSays makes what cameras send that is not quite right. libjpeg
// decodes all of it, and so it has to be passed on.
func TestWholeAsLibjpegSays(t *testing.T) {
	d := newDecoder(t)
	for name, pic := range encodings(t) {
		sof := bytes.Index(pic, []byte{0xff, 0xdb})
		odd := map[string][]byte{
			"as it is":                           pic,
			"1 byte before the end":              insert(pic, len(pic)-2, 0x5a),
			"9 bytes before the end":             insert(pic, len(pic)-2, []byte("\x01\x5a\x00\x5a\xfe\x5a\x5a\x5a\x7f")...),
			"300 bytes before the end":           insert(pic, len(pic)-2, bytes.Repeat([]byte{0x33}, 300)...),
			"a stuffed byte before the end":      insert(pic, len(pic)-2, 0xff, 0, 0xff, 0),
			"zeros before the end":               insert(pic, len(pic)-2, make([]byte, 40)...),
			"fill before the end":                insert(pic, len(pic)-2, 0xff, 0xff, 0xff),
			"a restart marker before the end":    insert(pic, len(pic)-2, 0xff, 0xd3),
			"bytes behind the end":               append(slices.Clone(pic), "\r\n--boundary"...),
			"fill before a table":                insert(pic, sof, 0xff, 0xff),
			"a comment that says it is shorter":  insert(pic, sof, segment(0xfe, 4, "a camera's comment")...),
			"a comment that says it has nothing": insert(pic, sof, segment(0xfe, 0, "a camera's comment")...),
			"an APP4 that says it is shorter":    insert(pic, sof, segment(0xe4, 7, "Dahua puts things here\x00\x01")...),
			"an APP1 with rubbish":               insert(pic, sof, segment(0xe1, 12, "Exif\x00\x00rubb")...),
			"an APP1 that says 1":                insert(pic, sof, segment(0xe1, 1, "Exif\x00\x00rubb")...),
			"stuffed bytes behind a comment":     insert(pic, sof, segment(0xfe, 3, "x\xff\x00\xff\x00y")...),
		}
		if strings.Contains(name, "restart") && !strings.Contains(name, "progressive") {
			for n := range 3 {
				at := bytes.Index(pic, []byte{0xff, 0xd0 + byte(n)})
				odd[fmt.Sprintf("%d bytes before a restart", 1+4*n)] = insert(pic, at, []byte("\x5a\x00\x7f\x01\xfe\x5a\x5a\x33\x00")[:1+4*n]...)
				odd[fmt.Sprintf("fill before restart %d", n)] = insert(pic, at, 0xff, 0xff)
			}
		}
		if name == "4:2:2" || name == "4:2:0" {
			odd["without Huffman tables"] = cutSegments(pic, 0xc4)
		}
		for what, b := range odd {
			if ok, said := d.whole(t, b); !ok {
				t.Errorf("%s, %s: libjpeg says %s: the test is wrong", name, what, said)
			}
			if markers, full := accepted(b); markers != nil || full != nil {
				t.Errorf("%s, %s: refused by its markers: %v, by its data: %v", name, what, markers, full)
			}
		}
	}
}

// cutSegments is b without the segments of one marker before its first scan.
func cutSegments(b []byte, marker byte) []byte {
	out := slices.Clone(b[:2])
	for i := 2; ; {
		n := 2 + int(b[i+2])<<8 + int(b[i+3])
		if b[i+1] == 0xda {
			return append(out, b[i:]...)
		}
		if b[i+1] != marker {
			out = append(out, b[i:i+n]...)
		}
		i += n
	}
}

// TestTornAsLibjpegSays damages pictures at random. What libjpeg does not decode to
// the end is refused by its data, and what is cut off by its markers already.
func TestTornAsLibjpegSays(t *testing.T) {
	d := newDecoder(t)
	rng := rand.New(rand.NewPCG(4, 4))
	passed, torn := 0, 0
	for name, pic := range encodings(t) {
		if strings.Contains(name, "progressive") {
			continue // of these the markers alone are looked at
		}
		data := dataAt(pic)
		for trial := range 30 {
			b := slices.Clone(pic)
			at := data + rng.IntN(len(b)-data-600)
			what := ""
			switch trial % 6 {
			case 0:
				what, b = "cut off", b[:at]
			case 1:
				what, b = "cut off, with an end", append(b[:at], 0xff, 0xd9)
			case 2:
				n := 16 + rng.IntN(500)
				what, b = fmt.Sprint("lacks ", n), slices.Delete(b, at, at+n)
			case 3:
				what = "has zeros"
				clear(b[at : at+200])
			case 4:
				what = "has a wrong bit"
				b[at] ^= 1 << rng.IntN(8)
			case 5:
				what = "has a wrong byte in its head"
				b[2+rng.IntN(data-16)] ^= byte(1 + rng.IntN(255))
			}
			ok, said := d.whole(t, b)
			markers, full := accepted(b)
			switch {
			case !ok && full == nil:
				t.Errorf("%s, %s: passed on; libjpeg says %s", name, what, said)
			case what == "cut off" && markers == nil:
				t.Errorf("%s, %s: passed on by its markers", name, what)
			case ok && full == nil:
				passed++
			case !ok:
				torn++
			}
		}
	}
	if passed < 10 || torn < 50 {
		t.Errorf("%d whole and %d torn: the test tries too little", passed, torn)
	}
}
