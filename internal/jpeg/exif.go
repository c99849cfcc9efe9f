package jpeg

import (
	"encoding/binary"
	"slices"
	"time"
)

// EXIF is what Dress writes into a picture. Fields that are empty, or cannot be
// written as EXIF wants them, are left out.
type EXIF struct {
	// Time is when the picture was taken. It is written in UTC, to the
	// millisecond, with the offset +00:00. Years 1 to 9999; zero: not written.
	Time time.Time
	// Make and Model name the camera. EXIF text is ASCII: other characters
	// become "?"; at most 64 bytes are kept of each.
	Make, Model string
	// ID is the picture's own identifier: exactly 32 hexadecimal digits.
	ID string
	// Orientation is 1 to 8 as in EXIF 2.32 table 6; anything else leaves that of the
	// picture, which is 1 where it has none.
	Orientation int
}

// timed says whether Time can be written; it is in UTC by then.
func (e *EXIF) timed() bool {
	return !e.Time.IsZero() && e.Time.Year() >= 1 && e.Time.Year() <= 9999
}

// TIFF field types (TIFF 6.0 section 2).
const (
	tASCII     = 2
	tShort     = 3
	tLong      = 4
	tRational  = 5
	tUndefined = 7
)

const (
	exifText  = 64   // bytes kept of Make and of Model
	exifBound = 1024 // no EXIF block written here is larger
	stampForm = "2006:01:02 15:04:05"
)

// Dress returns a new picture, made of b and what it lacks: an EXIF block with e
// right after the start of image, and the standard Huffman tables (T.81 K.3) before
// the first scan when it has none. An EXIF block of its own is kept, with the time,
// ID and, unless 0, the orientation of e in it. The picture data is copied unchanged;
// bytes of b past in.Len are left behind. in must be what Scan said of b; if it is
// not, the result is a plain copy.
func Dress(b []byte, in Info, e EXIF) []byte {
	if !in.fits(b) {
		return append(make([]byte, 0, len(b)), b...)
	}
	out := appendHead(make([]byte, 0, in.Len+in.headRoom()-in.sos), b, in, e)
	return append(out, in.Body(b)...)
}

// Head is the part of Dress(b, in, e) before [Info.Body], for senders that need not
// copy the rest. It is nil where in is not what Scan said of b.
func Head(b []byte, in Info, e EXIF) []byte {
	if !in.fits(b) {
		return nil
	}
	return appendHead(make([]byte, 0, in.headRoom()), b, in, e)
}

// Body is the part of b from the first scan on, which Dress leaves as it is.
func (in Info) Body(b []byte) []byte {
	if !in.fits(b) {
		return b
	}
	return b[in.sos:in.Len]
}

func (in Info) fits(b []byte) bool {
	return in.Len <= len(b) && in.sos >= 2 && in.sos <= in.Len && in.exnd <= in.sos
}

// headRoom is how long a head is at most, but for an EXIF block that is rewritten.
func (in Info) headRoom() int {
	room := in.sos + exifBound
	if in.needsTables() {
		room += len(stdTables)
	}
	return room
}

func appendHead(out, b []byte, in Info, e EXIF) []byte {
	out = append(out, b[:2]...)
	rest := b[2:in.sos]
	merged, ok := out, false
	if in.HasEXIF {
		merged, ok = mergeEXIF(out, b[in.exif:in.exnd], e)
	}
	if !ok {
		merged = appendEXIF(out, in, e)
	}
	out = merged
	if in.HasEXIF {
		out = append(out, b[2:in.exif-len(exifHead)-4]...)
		rest = b[in.exnd:in.sos]
	}
	out = append(out, rest...)
	if in.needsTables() {
		out = append(out, stdTables...)
	}
	return out
}

// ifd writes one image file directory (TIFF 6.0 section 2) at the end of out.
// Its entries have a place reserved; values that do not fit into an entry
// follow after the directory.
type ifd struct {
	out  []byte
	tiff int // offset of the TIFF header in out: what offsets are counted from
	at   int // offset in out of the next entry
}

func beginIFD(out []byte, tiff, entries int) ifd {
	at := len(out) + 2
	out = binary.BigEndian.AppendUint16(out, uint16(entries))
	// No further directory follows: the last four of these bytes stay 0.
	return ifd{out: slices.Grow(out, 12*entries+4)[:at+12*entries+4], tiff: tiff, at: at}
}

func (d *ifd) entry(tag, typ uint16, count int) []byte {
	e := d.out[d.at : d.at+12]
	d.at += 12
	binary.BigEndian.PutUint16(e[0:], tag)
	binary.BigEndian.PutUint16(e[2:], typ)
	binary.BigEndian.PutUint32(e[4:], uint32(count))
	clear(e[8:])
	return e[8:]
}

// far makes an entry whose value starts at the end of out, on an even offset as
// TIFF asks, where the caller appends it.
func (d *ifd) far(tag, typ uint16, count int) {
	if (len(d.out)-d.tiff)%2 != 0 {
		d.out = append(d.out, 0)
	}
	binary.BigEndian.PutUint32(d.entry(tag, typ, count), uint32(len(d.out)-d.tiff))
}

func (d *ifd) short(tag uint16, v int) {
	binary.BigEndian.PutUint16(d.entry(tag, tShort, 1), uint16(v))
}

func (d *ifd) long(tag uint16, v int) {
	binary.BigEndian.PutUint32(d.entry(tag, tLong, 1), uint32(v))
}

func (d *ifd) undefined(tag uint16, v string) { copy(d.entry(tag, tUndefined, len(v)), v) }

func (d *ifd) rational(tag uint16, num, den uint32) {
	d.far(tag, tRational, 1)
	d.out = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(d.out, num), den)
}

func (d *ifd) text(tag uint16, s string) {
	if len(s) < 4 {
		e := d.entry(tag, tASCII, len(s)+1)
		for i := range len(s) {
			e[i] = ascii(s[i])
		}
		return
	}
	d.far(tag, tASCII, len(s)+1)
	for i := range len(s) {
		d.out = append(d.out, ascii(s[i]))
	}
	d.out = append(d.out, 0)
}

func ascii(c byte) byte {
	if c < ' ' || c > '~' {
		return '?'
	}
	return c
}

func (d *ifd) stamp(tag uint16, t time.Time) {
	d.far(tag, tASCII, len(stampForm)+1)
	d.out = append(t.AppendFormat(d.out, stampForm), 0)
}

func (d *ifd) millis(tag uint16, t time.Time) {
	ms := t.Nanosecond() / int(time.Millisecond)
	copy(d.entry(tag, tASCII, 4), []byte{'0' + byte(ms/100), '0' + byte(ms/10%10), '0' + byte(ms%10)})
}

// appendEXIF appends an APP1 segment. The tags are those that EXIF 2.32 calls
// mandatory for a compressed picture, and what tells where and when it is from.
func appendEXIF(out []byte, in Info, e EXIF) []byte {
	e.Make, e.Model = e.Make[:min(len(e.Make), exifText)], e.Model[:min(len(e.Model), exifText)]
	e.Time = e.Time.UTC()
	timed := e.timed()
	if e.Orientation < 1 || e.Orientation > 8 {
		e.Orientation = 1
	}
	seg := len(out)
	out = append(out, 0xff, mAPP1, 0, 0)
	out = append(out, exifHead...)
	tiff := len(out)
	out = append(out, "MM\x00\x2a\x00\x00\x00\x08"...)

	d := beginIFD(out, tiff, 6+count(e.Make != "")+count(e.Model != "")+count(timed))
	if e.Make != "" {
		d.text(0x010f, e.Make)
	}
	if e.Model != "" {
		d.text(0x0110, e.Model)
	}
	d.short(0x0112, e.Orientation)
	d.rational(0x011a, 72, 1) // XResolution: 72 where it is not known, says EXIF
	d.rational(0x011b, 72, 1) // YResolution
	d.short(0x0128, 2)        // ResolutionUnit: inch
	if timed {
		d.stamp(0x0132, e.Time) // DateTime
	}
	d.short(0x0213, 1) // YCbCrPositioning: centred, as JFIF has it
	next := (len(d.out) - tiff + 1) &^ 1
	d.long(0x8769, next) // the EXIF directory
	for len(d.out) < tiff+next {
		d.out = append(d.out, 0)
	}

	out = appendExifIFD(d.out, tiff, in, e)
	binary.BigEndian.PutUint16(out[seg+2:], uint16(len(out)-seg-2))
	return out
}

func appendExifIFD(out []byte, tiff int, in Info, e EXIF) []byte {
	timed, named := e.timed(), isID(e.ID)
	d := beginIFD(out, tiff, 6+8*count(timed)+count(named))
	d.undefined(0x9000, "0232") // ExifVersion
	if timed {
		d.stamp(0x9003, e.Time)  // DateTimeOriginal
		d.stamp(0x9004, e.Time)  // DateTimeDigitized
		d.text(0x9010, "+00:00") // OffsetTime
		d.text(0x9011, "+00:00") // OffsetTimeOriginal
		d.text(0x9012, "+00:00") // OffsetTimeDigitized
	}
	d.undefined(0x9101, "\x01\x02\x03\x00") // ComponentsConfiguration: Y Cb Cr
	if timed {
		d.millis(0x9290, e.Time) // SubSecTime
		d.millis(0x9291, e.Time) // SubSecTimeOriginal
		d.millis(0x9292, e.Time) // SubSecTimeDigitized
	}
	d.undefined(0xa000, "0100") // FlashpixVersion
	d.short(0xa001, 1)          // ColorSpace: sRGB
	d.long(0xa002, in.Width)    // PixelXDimension
	d.long(0xa003, in.Height)   // PixelYDimension
	if named {
		d.text(0xa420, e.ID) // ImageUniqueID
	}
	return d.out
}

func count(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

func isID(s string) bool {
	if len(s) != 32 {
		return false
	}
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'f') {
			return false
		}
	}
	return true
}
