package jpeg

import (
	"bytes"
	"encoding/binary"
)

// flaw is what can be wrong with entropy-coded data. It is a value and no error
// because looking for it is all that a walk does.
type flaw uint8

const (
	sound      flaw = iota
	badCode         // a code that no table has, or that means nothing
	badIndex        // a block of more than 64 coefficients
	badLevel        // brighter or darker than 8 bits can say
	badEnd          // the data ends before the picture
	badRest         // no marker follows
	badRestart      // no restart marker, or another, where one belongs
)

// bits reads entropy-coded data: without the stuffed zeros, and not past the
// next marker.
type bits struct {
	b   []byte
	i   int    // next byte of b
	acc uint64 // the next bits, the first of them on top
	n   int    // of them that count
	pad int    // of n, at the end: zeros put in place of data that is not there
}

// fill brings n above 56.
func (r *bits) fill() {
	for r.n <= 56 {
		c, size := byte(0), 0
		if r.i < len(r.b) {
			switch c = r.b[r.i]; {
			case c != 0xff:
				size = 1
			case r.i+1 < len(r.b) && r.b[r.i+1] == 0:
				size = 2
			default:
				if size = stuffed(r.b[r.i:]); size == 0 {
					c = 0
				}
			}
		}
		if size == 0 {
			r.pad += 8
		}
		r.acc |= uint64(c) << (56 - r.n)
		r.i += size
		r.n += 8
	}
}

// stuffed is the length of a run of 0xff with a 0 behind it, which decoders take for
// one byte of data; 0 where b begins with a marker.
func stuffed(b []byte) int {
	n := 0
	for n < len(b) && b[n] == 0xff {
		n++
	}
	if n < len(b) && b[n] == 0 {
		return n + 1
	}
	return 0
}

// restart goes to the data behind a restart marker.
func (r *bits) restart() { r.i, r.acc, r.n, r.pad = r.i+2, 0, 0, 0 }

// spent says whether more was read than there was.
func (r *bits) spent() bool { return r.n < r.pad }

// toMarker goes to the next marker, past whatever is in front of it: some cameras
// write a few bytes too many there, and decoders skip them. false: there is none.
// The last byte of b is part of one.
func (r *bits) toMarker() bool {
	for r.i+1 < len(r.b) {
		j := bytes.IndexByte(r.b[r.i:], 0xff)
		if j < 0 {
			return false
		}
		r.i += j
		n := stuffed(r.b[r.i:])
		if n == 0 {
			break
		}
		r.i += n
	}
	for r.i+2 < len(r.b) && r.b[r.i+1] == 0xff { // fill bytes, T.81 B.1.1.2
		r.i++
	}
	return r.i+1 < len(r.b)
}

const (
	ones = 0x0101010101010101
	tops = 0x8080808080808080
)

// block reads one block: the difference of its DC coefficient to the one
// before, and of the others only how many bits they have.
func (r *bits) block(dc, ac *huffman) (diff int32, f flaw) {
	if r.n < 32 {
		r.fill()
	}
	e := dc.look[r.acc>>(64-lookBits)]
	drop, size := int(e>>8), byte(e)
	if e == 0 {
		var ok bool
		if drop, size, ok = dc.long(classDC, uint32(r.acc>>48)); !ok {
			return 0, badCode
		}
	}
	r.acc <<= drop
	if size > 0 {
		diff = int32(r.acc >> (64 - size))
		if diff < 1<<(size-1) { // T.81 F.2.2.1: EXTEND
			diff -= 1<<size - 1
		}
		r.acc <<= size
	}
	r.n -= drop + int(size)
	return diff, r.skip(ac)
}

// skip reads the AC coefficients of a block. This is where a walk spends its
// time: the reader's state is in locals, and eight bytes are taken at once where
// none of them is 0xff.
func (r *bits) skip(ac *huffman) flaw {
	b, i, acc, n := r.b, r.i, r.acc, r.n
	k := 1
	for k < 64 {
		if n < 32 { // a code and its value have 26 bits at most
			v := uint64(ones) * 0xff
			if i+8 <= len(b) {
				v = binary.BigEndian.Uint64(b[i:])
			}
			if (^v-ones)&v&tops == 0 {
				// What is above n+8*whole bytes is put in again, the same, next time.
				acc |= v >> n
				i += (63 - n) >> 3
				n |= 56
			} else {
				r.i, r.acc, r.n = i, acc, n
				r.fill()
				i, acc, n = r.i, r.acc, r.n
			}
		}
		e := ac.look[acc>>(64-lookBits)]
		drop, step := int(e>>8), int(e&0xff)
		if e == 0 {
			d, s, ok := ac.long(classAC, uint32(acc>>48))
			if !ok {
				return badCode
			}
			drop, step = d, int(s)
		}
		acc <<= drop
		n -= drop
		k += step
	}
	r.i, r.acc, r.n = i, acc, n
	if k > 64 && k < stepEnd {
		return badIndex
	}
	return sound
}
