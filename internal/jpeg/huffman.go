package jpeg

import "slices"

// lookBits is how many bits of a code are looked up at once. Longer codes are
// rare: with the standard tables less than one in a hundred.
const lookBits = 10

// Huffman table classes, the upper half of a DHT segment's first byte.
const (
	classDC = 0
	classAC = 1
)

// What a look-up says of an AC code beside how many bits to drop: by how many
// coefficients it goes on. More than stepEnd is the end of the block.
const stepEnd = 128

// The largest size category of a picture with 8 bits a sample (T.81 tables F.1
// and F.2). More than that is damage: an encoder has nothing to say with it.
const (
	mostDC = 11
	mostAC = 10
)

// huffman is one Huffman table, made for a walk that wants to know what AC codes
// mean for the position only: a code and the bits of its value are one step.
type huffman struct {
	defined bool      // in the picture being walked
	made    bool      // the fields below are those of counts and vals
	counts  [16]byte  // codes of each length
	vals    [256]byte // symbols in the order of their codes
	n       int       // of vals

	// look says for the next lookBits bits how many to drop (upper byte) and the
	// size category of a DC code or the step of an AC code (lower byte). 0: the
	// code is longer, or means nothing.
	look [1 << lookBits]uint16
	// The first limit[l] that a code, left-aligned in 16 bits, is below is that of
	// its length l, and its symbol is vals[code+base[l]].
	limit [17]uint32
	base  [17]int32
}

// define takes a table as DHT has it. Nearly every picture of a camera has the
// tables of the one before: then nothing is to be done. A table that cannot be is
// left undefined: it matters only to a scan that needs it.
func (h *huffman) define(class byte, counts, vals []byte) {
	if h.made && string(h.counts[:]) == string(counts) && string(h.vals[:h.n]) == string(vals) {
		h.defined = true
		return
	}
	h.defined, h.made = false, false
	h.n = copy(h.vals[:], vals)
	copy(h.counts[:], counts)
	clear(h.look[:])
	if class == classDC && slices.ContainsFunc(vals, func(v byte) bool { return v > 15 }) {
		return
	}
	code, k := uint32(0), 0
	for l := 1; l <= 16; l++ {
		h.base[l] = int32(k) - int32(code)
		for range counts[l-1] {
			if l <= lookBits {
				h.enter(class, code, l, vals[k])
			}
			code++
			k++
		}
		if code >= 1<<l && counts[l-1] > 0 {
			return // more codes than there can be; none is all ones, T.81 C
		}
		h.limit[l] = code << (16 - l)
		code <<= 1
	}
	h.defined, h.made = true, true
}

// enter makes the entries of a short code, if its symbol means anything.
func (h *huffman) enter(class byte, code uint32, length int, symbol byte) {
	drop, step, ok := meaning(class, symbol)
	if !ok {
		return
	}
	first := int(code) << (lookBits - length)
	for i := first; i < min(first+1<<(lookBits-length), len(h.look)); i++ {
		h.look[i] = uint16(length+drop)<<8 | uint16(step)
	}
}

// meaning is what a symbol stands for: the bits of its value to drop with the
// code, and the lower byte of a look-up.
func meaning(class, symbol byte) (drop int, step byte, ok bool) {
	run, size := symbol>>4, symbol&15
	switch {
	case class == classDC:
		return 0, symbol, symbol <= mostDC
	case symbol == 0: // end of block
		return 0, stepEnd, true
	case symbol == 0xf0: // sixteen zeros
		return 0, 16, true
	}
	return int(size), run + 1, size >= 1 && size <= mostAC
}

// long is a look-up of a code that look does not have; top is the next 16 bits.
func (h *huffman) long(class byte, top uint32) (drop int, step byte, ok bool) {
	if top < h.limit[lookBits] {
		return 0, 0, false // a short code that means nothing
	}
	for l := lookBits + 1; l <= 16; l++ {
		if top < h.limit[l] {
			drop, step, ok = meaning(class, h.vals[int32(top>>(16-l))+h.base[l]])
			return l + drop, step, ok
		}
	}
	return 0, 0, false
}
