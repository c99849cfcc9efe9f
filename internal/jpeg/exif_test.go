package jpeg

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var shot = time.Date(2026, 11, 20, 4, 30, 0, 123_456_789, time.FixedZone("", 3600))

func fullEXIF() EXIF {
	return EXIF{Time: shot, Make: "Acme", Model: "Porch camera 7", ID: "0190abcd0190abcd0190abcd0190abcd", Orientation: 6}
}

func mustScan(t testing.TB, b []byte) Info {
	t.Helper()
	in, err := Scan(b)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func TestDress(t *testing.T) {
	pic := encode(t, 64, 48, 1)
	bare := without(t, pic, mDHT)
	tests := map[string]struct {
		b            []byte
		exif, tables bool // added
	}{
		"lacks EXIF":              {pic, true, false},
		"lacks both":              {bare, true, true},
		"lacks tables":            {withThumbnail(t, bare), false, true},
		"lacks a time only":       {withThumbnail(t, pic), false, false},
		"progressive":             {progressive(), true, false},
		"progressive sans tables": {laterTables(), true, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			in := mustScan(t, tt.b)
			before := slices.Clone(tt.b)
			out := Dress(append(slices.Clone(tt.b), "behind it"...), in, fullEXIF())
			got := mustScan(t, out)
			if got.Len != len(out) || got.Width != in.Width || got.Height != in.Height {
				t.Errorf("dressed: %+v of %d bytes, was %+v", got, len(out), in)
			}
			if !got.HasEXIF || got.HasTables != (in.HasTables || tt.tables) {
				t.Errorf("dressed: EXIF %v, tables %v", got.HasEXIF, got.HasTables)
			}
			if out[2] != 0xff || out[3] != mAPP1 {
				t.Errorf("begins with % x, want the EXIF block right after SOI", out[:4])
			}
			if at, ok := CaptureTime(out); !ok || !at.Equal(shot.Truncate(time.Millisecond)) {
				t.Errorf("says it was taken %v, want %v", at, shot)
			}
			rest := out[4+int(out[4])<<8+int(out[5]):]
			old := slices.Clone(tt.b[2:in.sos])
			if !tt.exif {
				old = old[2+int(old[2])<<8+int(old[3]):] // is in the new one
			}
			if tt.tables {
				old = append(old, stdTables...)
			}
			want := append(old, tt.b[in.sos:]...)
			if head := Head(tt.b, in, fullEXIF()); !bytes.Equal(append(head, in.Body(tt.b)...), out) {
				t.Error("head and body are not the picture")
			}
			if !bytes.Equal(rest, want) {
				t.Error("more has changed than was lacking")
			}
			if !bytes.Equal(tt.b, before) {
				t.Error("the picture passed in has changed")
			}
		})
	}
}

// A picture without tables decodes to the very pixels it had with them.
func TestDressMakesDecodable(t *testing.T) {
	pic := encode(t, 64, 48, 1)
	bare := without(t, pic, mDHT)
	got := decode(t, Dress(bare, mustScan(t, bare), EXIF{}))
	want := decode(t, pic)
	for y := range 48 {
		for x := range 64 {
			if got.At(x, y) != want.At(x, y) {
				t.Fatalf("pixel %d,%d is %v, want %v", x, y, got.At(x, y), want.At(x, y))
			}
		}
	}
}

// The tables are those that image/jpeg writes, which are those of annex K.3.
func TestStandardTables(t *testing.T) {
	head, _ := segments(t, encode(t, 16, 16, 1))
	i := slices.IndexFunc(head, func(s []byte) bool { return s[1] == mDHT })
	if string(head[i]) != stdTables {
		t.Errorf("tables differ:\n% x\n% x", head[i], stdTables)
	}
}

func TestDressStrangeInfo(t *testing.T) {
	pic := encode(t, 16, 16, 1)
	for name, in := range map[string]Info{
		"none": {}, "of a longer picture": {Len: len(pic) + 1, sos: 20}, "scan behind the end": {Len: 40, sos: 50},
	} {
		if out := Dress(pic, in, fullEXIF()); !bytes.Equal(out, pic) {
			t.Errorf("%s: the picture was changed", name)
		}
	}
}

func TestCaptureTime(t *testing.T) {
	pic := encode(t, 16, 16, 1)
	in := mustScan(t, pic)
	for name, at := range map[string]time.Time{
		"in a zone": shot, "in UTC": shot.UTC(), "in local time": shot.Local(),
		"in year 1": time.Date(1, 2, 3, 4, 5, 6, 0, time.UTC), "in year 9999": time.Date(9999, 12, 31, 23, 59, 59, 999e6, time.UTC),
	} {
		want := at.Truncate(time.Millisecond)
		got, ok := CaptureTime(Dress(pic, in, EXIF{Time: at}))
		if !ok || !got.Equal(want) {
			t.Errorf("%s: %v %v, want %v", name, got, ok, want)
		}
	}
	dressed := Dress(pic, in, fullEXIF())
	if got, ok := CaptureTime(dressed[:700]); !ok || !got.Equal(shot.Truncate(time.Millisecond)) {
		t.Errorf("of a truncated picture: %v %v, want %v", got, ok, shot)
	}
	for name, b := range map[string][]byte{
		"nothing": nil, "no EXIF": pic, "EXIF without time": Dress(pic, in, EXIF{Make: "x"}), "EXIF without fields": withThumbnail(t, pic),
		"time out of range": Dress(pic, in, EXIF{Time: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}),
	} {
		if got, ok := CaptureTime(b); ok {
			t.Errorf("%s: got %v, want none", name, got)
		}
	}
}

// littleEndian is an EXIF block as a camera with the other byte order writes it:
// the directory with the time before IFD0, a time without sub-seconds or with.
func littleEndian(stamp, sub, offset string) []byte {
	field := func(tag, typ uint16, n int, at uint32) string {
		return string([]byte{byte(tag), byte(tag >> 8), byte(typ), 0, byte(n), 0, 0, 0, byte(at), byte(at >> 8), 0, 0})
	}
	// Header 8, EXIF directory at 8 with 3 fields: 2+36+4; then the texts.
	text := 8 + 42
	exif := "\x03\x00" + field(0x9003, 2, len(stamp), uint32(text)) +
		field(0x9011, 2, len(offset), uint32(text+len(stamp))) + field(0x9291, 2, len(sub), uint32(text+len(stamp)+len(offset))) + "\x00\x00\x00\x00"
	if len(sub) <= 4 { // a short one is in the field itself
		exif = exif[:2+24+8] + (sub + "\x00\x00\x00\x00")[:4] + "\x00\x00\x00\x00"
	}
	body := exif + stamp + offset + sub
	ifd0 := 8 + len(body)
	return []byte(exifHead + "II\x2a\x00" + string([]byte{byte(ifd0), byte(ifd0 >> 8), 0, 0}) + body +
		"\x01\x00" + field(0x8769, 4, 1, 8) + "\x00\x00\x00\x00")
}

func TestCaptureTimeOfOthers(t *testing.T) {
	pic := encode(t, 16, 16, 1)
	const stamp = "2026:11:20 05:30:00\x00"
	utc := time.Date(2026, 11, 20, 5, 30, 0, 0, time.UTC)
	tests := map[string]struct {
		sub, offset string
		want        time.Time
	}{
		"with all":            {"123456\x00", "+01:00\x00", utc.Add(-time.Hour + 123456*time.Microsecond)},
		"west":                {"5\x00", "-05:30\x00", utc.Add(5*time.Hour + 30*time.Minute + 500*time.Millisecond)},
		"tenths, blank ends":  {"7  \x00", "+00:00 ", utc.Add(700 * time.Millisecond)},
		"zulu":                {"00\x00", "Z\x00     ", utc},
		"fraction, no digits": {"x1\x00", "+00:00\x00", utc},
	}
	for name, tt := range tests {
		got, ok := CaptureTime(with(pic, mAPP1, littleEndian(stamp, tt.sub, tt.offset)))
		if !ok || !got.Equal(tt.want) {
			t.Errorf("%s: %v %v, want %v", name, got, ok, tt.want)
		}
	}
	for _, offset := range []string{"\x00      ", "   :  \x00"} {
		if got, ok := CaptureTime(with(pic, mAPP1, littleEndian(stamp, "25\x00", offset))); ok {
			t.Errorf("offset %q: got %v, want none", offset, got)
		}
	}
	if got, ok := CaptureTime(with(pic, mAPP1, littleEndian("    :  :     :  :  \x00", "1\x00", "+01:00\x00"))); ok {
		t.Errorf("blank time: got %v, want none", got)
	}
}

// What exiftool reads is what was written, and it has nothing to complain of.
func TestExiftool(t *testing.T) {
	tool, err := exec.LookPath("exiftool")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("exiftool is missing: install libimage-exiftool-perl")
		}
		t.Skip("exiftool is missing: install libimage-exiftool-perl")
	}
	pic := without(t, encode(t, 320, 240, 1), mDHT)
	path := filepath.Join(t.TempDir(), "a.jpg")
	if err := os.WriteFile(path, Dress(pic, mustScan(t, pic), fullEXIF()), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(tool, "-json", "-a", "-validate", "-warning", "-error", "-n", "-SubSecDateTimeOriginal", "-SubSecCreateDate", "-SubSecModifyDate",
		"-Make", "-Model", "-Orientation", "-XResolution", "-YResolution", "-ResolutionUnit", "-YCbCrPositioning", "-ExifVersion", "-ComponentsConfiguration",
		"-FlashpixVersion", "-ColorSpace", "-ExifImageWidth", "-ExifImageHeight", "-ImageUniqueID", "-ExifByteOrder", path).Output()
	if err != nil {
		t.Fatalf("exiftool: %v: %s", err, out)
	}
	var got []map[string]any
	if err := json.Unmarshal(out, &got); err != nil || len(got) != 1 {
		t.Fatalf("exiftool wrote %s: %v", out, err)
	}
	const at = "2026:11:20 03:30:00.123+00:00"
	for key, want := range map[string]any{
		"SubSecDateTimeOriginal": at, "SubSecCreateDate": at, "SubSecModifyDate": at, "Make": "Acme", "Model": "Porch camera 7", "Orientation": 6.0,
		"XResolution": 72.0, "YResolution": 72.0, "ResolutionUnit": 2.0, "YCbCrPositioning": 1.0, "ExifVersion": "0232", "ComponentsConfiguration": "1 2 3 0",
		"FlashpixVersion": "0100", "ColorSpace": 1.0, "ExifImageWidth": 320.0, "ExifImageHeight": 240.0,
		"ImageUniqueID": "0190abcd0190abcd0190abcd0190abcd", "Warning": nil, "Error": nil, "Validate": "0 0 0",
	} {
		if got[0][key] != want {
			t.Errorf("exiftool: %s is %v, want %v", key, got[0][key], want)
		}
	}
}

// What cannot be written as EXIF wants it is left out or made to fit.
func TestDressStrangeFields(t *testing.T) {
	pic := encode(t, 16, 16, 1)
	in := mustScan(t, pic)
	long := strings.Repeat("ä", 1000)
	out := Dress(pic, in, EXIF{Make: long, Model: "a\x00b\n", ID: "not 32 hexadecimal digits at all", Orientation: 9, Time: shot})
	if got := mustScan(t, out); got.Len != len(out) {
		t.Fatalf("%+v of %d bytes", got, len(out))
	}
	block := string(out[:len(out)-len(pic)])
	if !strings.Contains(block, strings.Repeat("?", 64)+"\x00") || strings.Contains(block, strings.Repeat("?", 65)) {
		t.Error("Make is not cut to 64 ASCII bytes")
	}
	if !strings.Contains(block, "a?b?\x00") {
		t.Error("Model holds control characters")
	}
	if short := Dress(pic, in, EXIF{Make: "ä"}); !strings.Contains(string(short), "\x01\x0f\x00\x02\x00\x00\x00\x03??\x00\x00") {
		t.Error("a short Make that is not ASCII was not made so")
	}
	if strings.Contains(block, "hexadecimal") {
		t.Error("an ID that is none was written")
	}
	if !strings.Contains(block, "\x01\x12\x00\x03\x00\x00\x00\x01\x00\x01") {
		t.Error("orientation 9 was not written as 1")
	}
}

func TestDressAllocatesOnce(t *testing.T) {
	pic := without(t, encode(t, 320, 240, 1), mDHT)
	in, e := mustScan(t, pic), fullEXIF()
	e.Make = strings.Repeat("m", 100)
	e.Model = strings.Repeat("m", 100)
	if n := testing.AllocsPerRun(100, func() { Dress(pic, in, e) }); n != 1 {
		t.Errorf("Dress allocates %v times, want 1", n)
	}
	out := Dress(pic, in, e)
	if spare := cap(out) - len(out); spare > exifBound {
		t.Errorf("%d bytes are allocated and not used", spare)
	}
}

func FuzzCaptureTime(f *testing.F) {
	pic := encode(f, 16, 16, 1)
	f.Add(Dress(pic, mustScan(f, pic), fullEXIF())[:700])
	f.Add(with(pic, mAPP1, littleEndian("2026:11:20 05:30:00\x00", "123456\x00", "+01:00\x00")))
	f.Add(pic)
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, ok := CaptureTime(b); !ok && !got.IsZero() {
			t.Fatalf("CaptureTime = %v, but false", got)
		}
		// The same bytes as the content of an EXIF block.
		if len(b) < 1<<15 {
			CaptureTime(with([]byte("\xff\xd8\xff\xd9"), mAPP1, append([]byte(exifHead), b...)))
		}
	})
}

func FuzzDress(f *testing.F) {
	pic := encode(f, 16, 16, 1)
	f.Add(pic, "Acme", "Cam", "0190abcd0190abcd0190abcd0190abcd", int64(1763613000123), 6)
	f.Add(without(f, pic, mDHT), "", "", "", int64(0), 0)
	f.Add(withThumbnail(f, pic), "ö", "\x00", strings.Repeat("F", 32), int64(-62135596800000), -1)
	f.Add(progressive(), strings.Repeat("x", 200), "y", "z", int64(253402300799999), 8)
	f.Fuzz(func(t *testing.T, b []byte, maker, model, id string, ms int64, orientation int) {
		in, err := Scan(b)
		if err != nil {
			return
		}
		at := time.UnixMilli(ms)
		out := Dress(b, in, EXIF{Time: at, Make: maker, Model: model, ID: id, Orientation: orientation})
		got, err := Scan(out)
		if err != nil || got.Len != len(out) || !got.HasEXIF {
			t.Fatalf("dressed: %+v, %v", got, err)
		}
		if got.Width != in.Width || got.Height != in.Height || got.Components != in.Components || got.Progressive != in.Progressive {
			t.Fatalf("dressed: %+v, was %+v", got, in)
		}
		if !bytes.Equal(out[got.sos:], b[in.sos:in.Len]) {
			t.Fatal("the picture data changed")
		}
		if year := at.UTC().Year(); year >= 1 && year <= 9999 && !at.IsZero() {
			if read, ok := CaptureTime(out); !ok || !read.Equal(at) {
				t.Fatalf("CaptureTime = %v %v, want %v", read, ok, at)
			}
		}
		again := Dress(out, got, EXIF{Time: shot, Orientation: 3})
		if read, ok := CaptureTime(again); !ok || !read.Equal(shot.Truncate(time.Millisecond)) || len(again) > len(out)+exifBound {
			t.Fatalf("dressed twice: CaptureTime = %v %v in %d bytes of %d, want %v", read, ok, len(again), len(out), shot)
		}
	})
}
