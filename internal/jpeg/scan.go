// Package jpeg looks at a JPEG without decoding it: where it ends, how large it
// is, when it was taken, whether it is whole, how bright it is, and what must be
// added to make it complete. It owns the marker walk, the walk through the
// entropy-coded data, the splitting of byte streams into pictures, the standard
// Huffman tables and the EXIF block. It never decodes, re-encodes or changes a
// pixel, and never trusts a length it has not checked.
package jpeg

import (
	"errors"
	"fmt"
)

// The ways in which bytes can fail to be a picture. Scan wraps them with the
// byte offset, what was there and what belongs there.
var (
	// ErrNotJPEG: the bytes do not begin with a start-of-image marker.
	ErrNotJPEG = errors.New("not a JPEG")
	// ErrTruncated: a JPEG as far as it goes, but the bytes end before it does.
	ErrTruncated = errors.New("truncated JPEG")
	// ErrFormat: begins as a JPEG and then breaks the rules of ITU-T T.81 annex B.
	ErrFormat = errors.New("malformed JPEG")
	// ErrHuge: the header claims more than MaxPixels.
	ErrHuge = errors.New("JPEG too large")
)

// MaxPixels is the most that a picture may have. A header of a few hundred bytes
// can claim four billion, and whoever believes it runs out of memory; no camera
// has as many as this. Scan, and with it everything here, refuses more by the
// header alone.
const MaxPixels = 50_000_000

// CheckSize returns an error that wraps ErrHuge when b begins as a JPEG whose
// header claims more than MaxPixels. It looks no further than the header and
// finds no other fault.
func CheckSize(b []byte) error {
	w := walk{headOnly: true}
	if w.advance(b) == walkBad && w.huge {
		return w.fault()
	}
	return nil
}

// Info is what the markers of a picture say about it.
type Info struct {
	// Len is the length in bytes, from the first byte of SOI to the last of EOI.
	Len int
	// Width and Height are in pixels, as coded: Orientation is not applied.
	Width, Height int
	// Components is 1 for grey, 3 for colour, 4 for print.
	Components int
	// Progressive is true when the picture comes in several ever finer scans.
	Progressive bool
	// HasTables is true when Huffman tables (DHT) come before the first scan.
	// Webcams that speak MJPEG may leave the standard ones out.
	HasTables bool
	// HasEXIF is true when the picture carries an EXIF block of its own.
	HasEXIF bool

	sof  byte // frame header's marker
	sos  int  // offset of the first scan header
	exif int  // offset of the EXIF block's TIFF header
	exnd int  // and of its end

	pictures int // that a Multi-Picture file has; 0: it is none
}

// Scan walks the markers of one JPEG that starts at b[0]. Bytes after its end
// are allowed; Info.Len says where that is. It allocates nothing for a good
// picture. Damage inside the entropy-coded data that keeps the marker structure
// is not seen: that takes a Walker. Errors wrap ErrNotJPEG, ErrTruncated,
// ErrFormat or ErrHuge.
func Scan(b []byte) (Info, error) {
	var w walk
	switch w.advance(b) {
	case walkDone:
		return w.info, nil
	case walkMore:
		return Info{}, fmt.Errorf("at byte %d of %d: got the end, want %s: %w", min(w.pos, len(b)), len(b), w.wanted(), ErrTruncated)
	case walkBad:
	}
	return Info{}, w.fault()
}

// fault puts into words why a walk ended as bad.
func (w *walk) fault() error {
	kind := ErrFormat
	switch {
	case w.huge:
		return fmt.Errorf("at byte %d: got %dx%d pixels, want %s: %w", w.pos, w.info.Width, w.info.Height, w.want, ErrHuge)
	case w.part == partStart:
		kind = ErrNotJPEG
	}
	return fmt.Errorf("at byte %d: got 0x%02x, want %s: %w", w.pos, w.got, w.want, kind)
}
