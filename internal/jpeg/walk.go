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
	mSOF9  = 0xc9
	mSOF10 = 0xca
	mDAC   = 0xcc
	mSOF15 = 0xcf
	mRST0  = 0xd0
	mRST7  = 0xd7
	mSOI   = 0xd8
	mEOI   = 0xd9
	mSOS   = 0xda
	mDQT   = 0xdb
	mDRI   = 0xdd
	mAPP0  = 0xe0
	mAPP1  = 0xe1
	mAPP2  = 0xe2
	mAPP15 = 0xef
	mCOM   = 0xfe
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
	info  Info
	pos   int // next byte to look at, counted from SOI; may lie past the bytes seen
	part  walkPart
	comps [4][2]byte // identifier and quantisation table of each component
	quant uint16     // the quantisation tables there are, a bit each
	// loose: the last segment was one whose length may be wrong.
	loose bool
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
		return w.extraneous(b)
	}
	if i+1 >= len(b) {
		return walkMore
	}
	switch m := b[i+1]; {
	case m == 0xff: // fill byte before a marker, T.81 B.1.1.2
		w.pos++
		return walkGo
	case m == 0 && w.loose:
		w.pos += 2
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
	m, n := b[i+1], int(b[i+2])<<8|int(b[i+3])
	if n < 2 {
		if !isText(m) {
			return w.bad(b, i+3, "a segment length of 2 or more")
		}
		n = 2 // as decoders take it
	}
	w.loose = w.part == partHead && isText(m)
	return w.segment(b, m, n)
}

// isText reports whether a decoder can do without segments of marker m.
func isText(m byte) bool { return m >= mAPP0 && m <= mAPP15 || m == mCOM }

// extraneous passes bytes up to the next marker, as decoders do, behind a comment
// or application segment before the first scan, whose length some cameras get wrong.
// Elsewhere it would hide that data is missing.
func (w *walk) extraneous(b []byte) walkStatus {
	if !w.loose {
		return w.bad(b, w.pos, "a marker (0xff)")
	}
	j := bytes.IndexByte(b[w.pos:], 0xff)
	if j < 0 {
		w.pos = len(b)
		return walkMore
	}
	w.pos += j
	return walkGo
}

// segment takes in the segment of marker m whose length field says n.
func (w *walk) segment(b []byte, m byte, n int) walkStatus {
	i := w.pos + 4
	end := w.pos + 2 + n
	sof := m >= mSOF0 && m <= mSOF15 && m != mDHT && m != mJPG && m != mDAC
	if (sof || m == mSOS || m == mAPP1 || m == mAPP2 || m == mDQT) && end > len(b) {
		return walkMore // only these are read; the rest are stepped over unseen
	}
	switch {
	case sof && m != mSOF0 && m != mSOF1 && m != mSOF2 && m != mSOF9 && m != mSOF10:
		return w.bad(b, w.pos+1, "a frame of a kind that decoders know")
	case sof:
		if st := w.frame(b, i, end); st != walkGo {
			return st
		}
		w.info.sof = m
		w.info.Progressive = m == mSOF2 || m == mSOF10
	case m == mAPP2 && w.part == partHead && w.info.pictures == 0:
		w.info.pictures = pictureCount(b[i:end])
	case m == mDQT:
		w.quantTables(b[i:end])
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
	case b[i] != 8:
		return w.bad(b, i, "8 bits a sample")
	}
	for c := range w.info.Components {
		w.comps[c] = [2]byte{b[i+6+3*c], b[i+8+3*c]}
	}
	return walkGo
}

// quantTables notes which tables a DQT segment defines (T.81 B.2.4.1).
func (w *walk) quantTables(s []byte) {
	for len(s) > 0 {
		w.quant |= 1 << (s[0] & 15)
		s = s[min(len(s), 65+64*int(s[0]>>4&1)):]
	}
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
	for at := i + 1; at < end-3; at += 2 {
		for _, c := range w.comps[:w.info.Components] {
			if c[0] == b[at] && w.quant&(1<<(c[1]&15)) == 0 {
				return w.bad(b, at, "a quantisation table for each component")
			}
		}
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
