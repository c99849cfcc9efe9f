// Package jpeg looks at a JPEG without decoding it: where it ends, how large it
// is, when it was taken, and what must be added to make it complete. It owns
// the marker walk, the splitting of byte streams into pictures, the standard
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
)

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
}

// Scan walks the markers of one JPEG that starts at b[0]. Bytes after its end
// are allowed; Info.Len says where that is. It allocates nothing for a good
// picture. Damage inside the entropy-coded data that keeps the marker structure
// is not seen. Errors wrap ErrNotJPEG, ErrTruncated or ErrFormat.
func Scan(b []byte) (Info, error) {
	var w walk
	switch w.advance(b) {
	case walkDone:
		return w.info, nil
	case walkMore:
		return Info{}, fmt.Errorf("at byte %d of %d: got the end, want %s: %w", min(w.pos, len(b)), len(b), w.wanted(), ErrTruncated)
	case walkBad:
	}
	kind := ErrFormat
	if w.part == partStart {
		kind = ErrNotJPEG
	}
	return Info{}, fmt.Errorf("at byte %d: got 0x%02x, want %s: %w", w.pos, w.got, w.want, kind)
}
