package jpeg

import (
	"encoding/binary"
	"strings"
	"time"
)

// CaptureTime reads when a picture was taken from its EXIF block, written by any
// camera in either byte order: DateTimeOriginal, SubSecTimeOriginal and
// OffsetTimeOriginal. Without an offset it is no time: nobody knows in which zone
// the camera is. It is false when there is no such time in b. Only the headers are
// looked at, so a truncated picture will do.
func CaptureTime(b []byte) (time.Time, bool) {
	t, dir, ok := exifDirectory(b)
	if !ok {
		return time.Time{}, false
	}
	stamp, ok := t.text(dir, 0x9003)
	if !ok {
		return time.Time{}, false
	}
	s, _ := t.text(dir, 0x9011)
	zone, ok := parseOffset(s)
	if !ok {
		return time.Time{}, false
	}
	when, err := time.ParseInLocation(stampForm, stamp, zone)
	if err != nil {
		return time.Time{}, false
	}
	if s, ok := t.text(dir, 0x9291); ok {
		when = when.Add(parseFraction(s))
	}
	return when, true
}

// exifDirectory returns where the EXIF directory of a picture is (EXIF 2.32 tag 0x8769).
func exifDirectory(b []byte) (t tiff, dir uint32, ok bool) {
	w := walk{headOnly: true}
	w.advance(b)
	if !w.info.HasEXIF {
		return t, 0, false
	}
	if t, ok = openTIFF(b[w.info.exif:w.info.exnd]); !ok {
		return t, 0, false
	}
	sub, ok := t.find(t.order.Uint32(t.b[4:]), 0x8769)
	if !ok || sub.typ != tLong {
		return t, 0, false
	}
	return t, t.order.Uint32(sub.value), true
}

// tiff reads a TIFF structure of which nothing is believed: every offset and
// count is checked against the bytes there are.
type tiff struct {
	b     []byte
	order binary.ByteOrder
}

type field struct {
	typ   uint16
	count uint32
	value []byte // the entry's last four bytes: the value, or where it is
}

func openTIFF(b []byte) (tiff, bool) {
	t := tiff{b: b}
	if len(b) < 8 {
		return t, false
	}
	switch string(b[:2]) {
	case "MM":
		t.order = binary.BigEndian
	case "II":
		t.order = binary.LittleEndian
	default:
		return t, false
	}
	return t, t.order.Uint16(b[2:]) == 42
}

// find looks for a tag in the directory at offset dir.
func (t tiff) find(dir uint32, tag uint16) (field, bool) {
	if uint64(dir)+2 > uint64(len(t.b)) {
		return field{}, false
	}
	rest := t.b[dir:]
	n := int(t.order.Uint16(rest))
	for rest = rest[2:]; n > 0 && len(rest) >= 12; n, rest = n-1, rest[12:] {
		if t.order.Uint16(rest) == tag {
			return field{typ: t.order.Uint16(rest[2:]), count: t.order.Uint32(rest[4:]), value: rest[8:12]}, true
		}
	}
	return field{}, false
}

// text reads a text field without the NUL and the blanks at its end.
func (t tiff) text(dir uint32, tag uint16) (string, bool) {
	f, ok := t.find(dir, tag)
	if !ok || f.typ != tASCII {
		return "", false
	}
	v := f.value
	if f.count > 4 {
		at := uint64(t.order.Uint32(v))
		if f.count > 64 || at+uint64(f.count) > uint64(len(t.b)) {
			return "", false
		}
		v = t.b[at : at+uint64(f.count)]
	} else {
		v = v[:f.count]
	}
	s, _, _ := strings.Cut(string(v), "\x00")
	return strings.TrimSpace(s), true
}

// parseOffset reads "+01:00", "-05:30" or "Z".
func parseOffset(s string) (*time.Location, bool) {
	t, err := time.Parse("Z07:00", s)
	return t.Location(), err == nil
}

// parseFraction reads the digits after a decimal point of seconds.
func parseFraction(s string) time.Duration {
	d, unit := time.Duration(0), time.Second
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0
		}
		unit /= 10
		d += time.Duration(c-'0') * unit
	}
	return d
}
