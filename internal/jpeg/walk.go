package jpeg

import "bytes"

// Marker codes, the byte after 0xff (ITU-T T.81 table B.1).
const (
	mTEM   = 0x01
	mSOF0  = 0xc0
	mSOF1  = 0xc1
	mSOF2  = 0xc2
	mDHT   = 0xc4
	mJPG   = 0xc8
	mSOF10 = 0xca
	mDAC   = 0xcc
	mSOF6  = 0xc6
	mSOF14 = 0xce
	mSOF15 = 0xcf
	mRST0  = 0xd0
	mRST7  = 0xd7
	mSOI   = 0xd8
	mEOI   = 0xd9
	mSOS   = 0xda
	mDQT   = 0xdb
	mDRI   = 0xdd
	mAPP1  = 0xe1
)

const exifHead = "Exif\x00\x00"

type walkStatus uint8

const (
	walkMore walkStatus = iota // needs bytes that are not there yet
	walkDone                   // info is complete
	walkBad                    // not a JPEG; pos, got and want say why
)

type walkPart uint8

const (
	partStart   walkPart = iota // SOI expected
	partHead                    // before the first scan
	partEntropy                 // inside entropy-coded data
	partBetween                 // after a scan: another scan, a table or EOI
)

// walk is a marker walk that stops where the bytes end and goes on from there
// when more have come, so no byte is looked at twice however small the reads.
// Faults are kept as values because a stream of rubbish makes many of them.
type walk struct {
	info Info
	pos  int // next byte to look at, counted from SOI; may lie past the bytes seen
	part walkPart
	// headOnly ends the walk as done at the first scan header.
	headOnly bool
	got      byte
	want     string
	huge     bool // the fault is the size that is claimed
}

// advance walks on through b, which begins with the picture's first byte and
// holds at least what it held at the call before.
func (w *walk) advance(b []byte) walkStatus {
	for {
		st := walkMore
		switch w.part {
		case partStart:
			st = w.start(b)
		case partEntropy:
			st = w.entropy(b)
		case partHead, partBetween:
			st = w.marker(b)
		}
		if st != walkGo {
			return st
		}
	}
}

// walkGo is only for the steps of a walk: one step done, take the next.
const walkGo walkStatus = 255

func (w *walk) bad(b []byte, at int, want string) walkStatus {
	w.pos, w.got, w.want = at, b[at], want
	return walkBad
}

func (w *walk) start(b []byte) walkStatus {
	for ; w.pos < 2; w.pos++ {
		if w.pos >= len(b) {
			return walkMore
		}
		if b[w.pos] != [2]byte{0xff, mSOI}[w.pos] {
			return w.bad(b, w.pos, "start of image (0xff 0xd8)")
		}
	}
	w.part = partHead
	return walkGo
}

// entropy looks for the marker that ends a scan: an 0xff that is neither data
// (followed by a stuffed 0) nor fill (followed by 0xff) nor a restart.
func (w *walk) entropy(b []byte) walkStatus {
	for w.pos < len(b) {
		j := bytes.IndexByte(b[w.pos:], 0xff)
		if j < 0 {
			w.pos = len(b)
			break
		}
		w.pos += j
		if w.pos+1 >= len(b) {
			break
		}
		switch c := b[w.pos+1]; {
		case c == 0 || c >= mRST0 && c <= mRST7:
			w.pos += 2
		case c == 0xff:
			w.pos++
		default:
			w.part = partBetween
			return walkGo
		}
	}
	return walkMore
}

func (w *walk) marker(b []byte) walkStatus {
	i := w.pos
	if i >= len(b) {
		return walkMore
	}
	if b[i] != 0xff {
		return w.bad(b, i, "a marker (0xff)")
	}
	if i+1 >= len(b) {
		return walkMore
	}
	switch m := b[i+1]; {
	case m == 0xff: // fill byte before a marker, T.81 B.1.1.2
		w.pos++
		return walkGo
	case m == mTEM:
		w.pos += 2
		return walkGo
	case m == mEOI:
		if w.part == partHead {
			return w.bad(b, i+1, "a scan before the end of image")
		}
		w.pos += 2
		w.info.Len = w.pos
		return walkDone
	case m < mSOF0 || m >= mRST0 && m <= mSOI:
		return w.bad(b, i+1, "a marker that may stand between segments")
	}
	if i+4 > len(b) {
		return walkMore
	}
	n := int(b[i+2])<<8 | int(b[i+3])
	if n < 2 {
		return w.bad(b, i+3, "a segment length of 2 or more")
	}
	return w.segment(b, b[i+1], n)
}

// segment takes in the segment of marker m whose length field says n.
func (w *walk) segment(b []byte, m byte, n int) walkStatus {
	i := w.pos + 4
	end := w.pos + 2 + n
	sof := m >= mSOF0 && m <= mSOF15 && m != mDHT && m != mJPG && m != mDAC
	if (sof || m == mSOS || m == mAPP1) && end > len(b) {
		return walkMore // only these are read; the rest are stepped over unseen
	}
	switch {
	case sof:
		if st := w.frame(b, i, end); st != walkGo {
			return st
		}
		w.info.sof = m
		w.info.Progressive = m == mSOF2 || m == mSOF6 || m == mSOF10 || m == mSOF14
	case m == mDHT && w.part == partHead:
		w.info.HasTables = true
	case m == mAPP1 && w.part == partHead && !w.info.HasEXIF:
		if s := b[i:end]; len(s) > len(exifHead) && string(s[:len(exifHead)]) == exifHead {
			w.info.HasEXIF = true
			w.info.exif, w.info.exnd = i+len(exifHead), end
		}
	case m == mSOS:
		return w.scan(b, i, end)
	}
	w.pos = end
	return walkGo
}

// frame reads a frame header (T.81 B.2.2) whose parameters are b[i:end].
func (w *walk) frame(b []byte, i, end int) walkStatus {
	if w.info.sof != 0 {
		return w.bad(b, w.pos+1, "one frame header only")
	}
	if end-i < 6 {
		return w.bad(b, i-1, "a frame header of 8 bytes or more")
	}
	w.info.Height = int(b[i+1])<<8 | int(b[i+2])
	w.info.Width = int(b[i+3])<<8 | int(b[i+4])
	w.info.Components = int(b[i+5])
	switch {
	case w.info.Height == 0:
		return w.bad(b, i+1, "a height above 0")
	case w.info.Width == 0:
		return w.bad(b, i+3, "a width above 0")
	case int64(w.info.Width)*int64(w.info.Height) > MaxPixels:
		w.huge = true
		return w.bad(b, i+1, "a picture of 50 megapixels or less")
	case w.info.Components < 1 || w.info.Components > 4:
		return w.bad(b, i+5, "1 to 4 components")
	case end-i != 6+3*w.info.Components:
		return w.bad(b, i-1, "a frame header as long as its components")
	}
	return walkGo
}

// scan reads a scan header (T.81 B.2.3) whose parameters are b[i:end].
func (w *walk) scan(b []byte, i, end int) walkStatus {
	switch {
	case w.info.sof == 0:
		return w.bad(b, w.pos+1, "a frame header before the scan")
	case end-i < 4 || end-i != 4+2*int(b[i]):
		return w.bad(b, i-1, "a scan header as long as its components")
	case b[i] < 1 || b[i] > 4:
		return w.bad(b, i, "1 to 4 components in the scan")
	}
	if w.part == partHead {
		w.info.sos = w.pos
		if w.headOnly {
			return walkDone
		}
	}
	w.pos, w.part = end, partEntropy
	return walkGo
}

// wanted names what a walk that ran out of bytes was waiting for.
func (w *walk) wanted() string {
	switch w.part {
	case partStart:
		return "start of image (0xff 0xd8)"
	case partHead:
		return "the rest of the headers"
	case partEntropy, partBetween:
		return "the rest of the picture and the end of image (0xff 0xd9)"
	}
	return ""
}
