package jpeg

import (
	"errors"
	"fmt"
)

// ErrDamaged: the markers are those of a whole picture, and the data between
// them is not. Only [Walker.Walk] finds that out.
var ErrDamaged = errors.New("damaged JPEG")

// Coarse is what a walk through a picture's data tells of it.
type Coarse struct {
	Info
	// Deep is true when the data itself was walked. It is false for what is not
	// sequential with Huffman codes and 8 bits a sample (progressive,
	// arithmetic, lossless, 12 bits): of that only the markers were walked, and
	// the fields below are zero.
	Deep bool
	// Luma is the picture at an eighth of its size, row by row: the mean of each
	// block of 8x8 samples of the first component, 0 to 255. It belongs to the
	// Walker and is good until its next Walk.
	Luma []uint8
	// Columns and Rows are the width and height of Luma, in blocks.
	Columns, Rows int
	// Mean is the brightness of the whole picture, 0 to 255.
	Mean float64
}

// Walker walks through the entropy-coded data of pictures without decoding
// them: it reads every Huffman code, keeps the DC coefficients of the first
// component, and passes over the rest. That finds nearly all damage which leaves
// the markers in place, and gives a small picture for next to nothing. The zero
// Walker is ready; one that is used again allocates only for larger pictures.
// It is for one goroutine.
type Walker struct {
	tables  [2][4]huffman // by class and identifier
	quant   [4]int32      // the DC step of each quantisation table; 0: not defined
	comps   [4]component
	count   int // of comps
	hm, vm  int // the largest sampling factors
	every   int // MCUs between restart markers; 0: none
	in      Info
	r       bits
	luma    []uint8
	scanned [4]int // indices of the components in the scan being read
	part    int    // of scanned
	row     int    // of MCUs, being read
	rows    int
}

// component is one of the picture's planes.
type component struct {
	id, table      byte // identifier; its quantisation table
	h, v           int  // sampling factors
	columns, rows  int  // in blocks, without those that only fill up an MCU
	dc, ac         *huffman
	pred           int32 // DC coefficient of the block before
	step, most     int32 // quantisation of it, and how far from 0 it can be
	coded          bool  // a scan has had it
	perRow, perCol int   // blocks in an MCU of the scan being read
}

// Walk walks through the one JPEG that starts at b[0]. Bytes after its end are
// allowed. Errors wrap ErrDamaged or are those of Scan; they say where.
func (w *Walker) Walk(b []byte) (Coarse, error) {
	in, err := Scan(b)
	if err != nil {
		return Coarse{}, err
	}
	c := Coarse{Info: in}
	if in.sof != mSOF0 && in.sof != mSOF1 {
		return c, nil
	}
	w.begin(in, b[:in.Len])
	deep, err := w.segments()
	w.r.b = nil // the caller's, and not kept
	if err != nil || !deep {
		return c, err
	}
	first := &w.comps[0]
	c.Deep, c.Luma, c.Columns, c.Rows = true, w.luma, first.columns, first.rows
	sum := 0
	for _, v := range w.luma {
		sum += int(v)
	}
	c.Mean = float64(sum) / float64(len(w.luma))
	return c, nil
}

func (w *Walker) begin(in Info, b []byte) {
	w.in, w.r, w.count, w.every = in, bits{b: b}, 0, 0
	w.quant = [4]int32{}
	for class := range w.tables {
		for id := range w.tables[class] {
			w.tables[class][id].defined = false
		}
	}
	if in.HasTables {
		return
	}
	var std [len(stdTables)]byte
	copy(std[:], stdTables)
	w.huffmanTables(std[4:])
}

// segments goes from marker to marker; Scan has been that way. It reports
// whether the data was walked through to the end.
func (w *Walker) segments() (bool, error) {
	b := w.r.b
	for i := 2; i+1 < len(b); {
		if b[i] != 0xff || b[i+1] == 0xff { // fill, or what a wrong length has left over
			i++
			continue
		}
		m := b[i+1]
		switch m {
		case 0:
			i += 2
			continue
		case mTEM:
			i += 2
			continue
		case mEOI:
			return true, w.complete(i)
		}
		end := i + 4
		if end <= len(b) {
			end = i + 2 + max(int(b[i+2])<<8+int(b[i+3]), 2)
		}
		if end > len(b) {
			break
		}
		s, ok := b[i+4:end], true
		switch m {
		case mSOF0, mSOF1:
			if s[0] != 8 {
				return false, nil
			}
			ok = w.frame(s)
		case mDHT:
			ok = w.huffmanTables(s)
		case mDQT:
			ok = w.quantTables(s)
		case mDRI:
			if ok = len(s) == 2; ok {
				w.every = int(s[0])<<8 | int(s[1])
			}
		case mSOS:
			if ok = w.header(s); ok {
				w.r = bits{b: b, i: end}
				if f := w.scan(); f != sound {
					return true, w.fault(f)
				}
				end = w.r.i
			}
		}
		if !ok {
			return true, fmt.Errorf("at byte %d: got a segment 0x%02x that makes no sense: %w", i, m, ErrDamaged)
		}
		i = end
	}
	return true, fmt.Errorf("at byte %d: got the end, want the end of image: %w", len(b), ErrDamaged)
}

// complete says what is missing where the end of image is.
func (w *Walker) complete(at int) error {
	for c := range w.count {
		if !w.comps[c].coded {
			return fmt.Errorf("at byte %d: got the end of image, want the data of component %d of %d: %w", at, c+1, w.count, ErrDamaged)
		}
	}
	return nil
}

// frame takes a frame header, whose length and size Scan has checked.
func (w *Walker) frame(s []byte) bool {
	w.count, w.hm, w.vm = int(s[5]), 1, 1
	for c := range w.count {
		p := s[6+3*c : 9+3*c]
		w.comps[c] = component{id: p[0], h: int(p[1] >> 4), v: int(p[1] & 15), table: p[2]}
		h, v := w.comps[c].h, w.comps[c].v
		if h < 1 || h > 4 || v < 1 || v > 4 || p[2] > 3 {
			return false
		}
		w.hm, w.vm = max(w.hm, h), max(w.vm, v)
	}
	for i := range w.count {
		c := &w.comps[i]
		c.columns = ceil(ceil(w.in.Width*c.h, w.hm), 8)
		c.rows = ceil(ceil(w.in.Height*c.v, w.vm), 8)
	}
	n := w.comps[0].columns * w.comps[0].rows
	if cap(w.luma) < n {
		w.luma = make([]uint8, n)
	}
	w.luma = w.luma[:n]
	return true
}

func ceil(a, b int) int { return (a + b - 1) / b }

func (w *Walker) huffmanTables(s []byte) bool {
	for len(s) > 0 {
		class, id := s[0]>>4, s[0]&15
		if class > 1 || id > 3 || len(s) < 17 {
			return false
		}
		n := 0
		for _, c := range s[1:17] {
			n += int(c)
		}
		if n > 256 || len(s) < 17+n {
			return false
		}
		w.tables[class][id].define(class, s[1:17], s[17:17+n])
		s = s[17+n:]
	}
	return true
}

// quantTables takes a DQT segment (T.81 B.2.4.1), and of each table the first
// value only.
func (w *Walker) quantTables(s []byte) bool {
	for len(s) > 0 {
		wide, id := int(s[0]>>4), s[0]&15
		if wide > 1 || id > 3 || len(s) < 65+64*wide {
			return false
		}
		w.quant[id] = int32(s[1])
		if wide == 1 {
			w.quant[id] = int32(s[1])<<8 | int32(s[2])
		}
		if w.quant[id] == 0 {
			return false
		}
		s = s[65+64*wide:]
	}
	return true
}

// fault puts into words what scan has found.
func (w *Walker) fault(f flaw) error {
	what := ""
	switch f {
	case badCode:
		what = "got a code that no Huffman table has"
	case badIndex:
		what = "got more than 64 coefficients in a block"
	case badLevel:
		what = "got a brightness that no picture has"
	case badEnd:
		what = "got the end of the data, want the rest of the picture"
	case badRest:
		what = "got no marker behind the data"
	case badRestart:
		what = "got no restart marker, or not the next one"
	case sound:
	}
	return fmt.Errorf("at byte %d, in line %d of %d: %s: %w", w.r.i, min(w.row*w.in.Height/max(w.rows, 1), w.in.Height-1), w.in.Height, what, ErrDamaged)
}
