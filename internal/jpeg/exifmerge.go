package jpeg

import (
	"cmp"
	"encoding/binary"
	"slices"
)

const (
	// mostSegment is the length of the largest segment, without its marker.
	mostSegment = 65535
	// mostFields is how many fields a directory may have to be taken for one.
	mostFields = 256
)

// merger rewrites the two main directories of an EXIF block (EXIF 2.32, 4.5.4). They
// are written anew behind the old block, and zeros are left in their place. The rest
// stays where it is: other directories, thumbnails and makers' notes are found by
// their offsets in the block.
type merger struct {
	out   []byte
	tiff  int // offset of the TIFF header in out
	old   int // length of the old block, which is there
	order interface {
		binary.ByteOrder
		binary.AppendByteOrder
	}
}

// entry is one field of a directory: its value, or where that is.
type entry struct {
	tag, typ uint16
	count    uint32
	value    [4]byte
}

// mergeEXIF appends an APP1 segment with the TIFF structure old in which e has been
// set. false: old cannot be read, or there is no room.
func mergeEXIF(out, old []byte, e EXIF) ([]byte, bool) {
	t, ok := openTIFF(old)
	if !ok {
		return out, false
	}
	seg := len(out)
	m := merger{tiff: seg + 4 + len(exifHead), old: len(old), order: binary.BigEndian}
	if t.order == binary.LittleEndian {
		m.order = binary.LittleEndian
	}
	first := t.order.Uint32(old[4:])
	main, next, ok := t.entries(first)
	if !ok {
		return out, false
	}
	m.out = append(out, 0xff, mAPP1, 0, 0)
	m.out = append(m.out, exifHead...)
	m.out = append(m.out, old...)
	var sub []entry
	if at, ok := t.find(first, 0x8769); ok && at.typ == tLong {
		from := t.order.Uint32(at.value)
		sub, _, _ = t.entries(from)
		m.clear(from, uint64(2+12*len(sub)))
	}
	m.clear(first, uint64(2+12*len(main)))
	e.Time = e.Time.UTC()
	sub = m.about(sub, e)
	main = m.camera(main, e)
	var pointer [4]byte
	m.order.PutUint32(pointer[:], m.directory(sub, 0))
	main = m.put(main, entry{0x8769, tLong, 1, pointer})
	at := m.directory(main, next)
	m.order.PutUint32(m.out[m.tiff+4:], at)
	n := len(m.out) - seg - 2
	if n > mostSegment {
		return out, false
	}
	binary.BigEndian.PutUint16(m.out[seg+2:], uint16(n))
	return m.out, true
}

// about sets what the EXIF directory says of the picture.
func (m *merger) about(sub []entry, e EXIF) []entry {
	if !slices.ContainsFunc(sub, func(x entry) bool { return x.tag == 0x9000 }) {
		sub = m.put(sub, entry{0x9000, tUndefined, 4, [4]byte([]byte("0232"))})
	}
	if isID(e.ID) {
		sub = m.text(sub, 0xa420, e.ID) // ImageUniqueID
	}
	if !e.timed() {
		return sub
	}
	stamp, ms := e.Time.Format(stampForm), e.Time.Format(".000")[1:]
	for _, tag := range []uint16{0x9003, 0x9004} { // DateTimeOriginal, DateTimeDigitized
		sub = m.text(sub, tag, stamp)
	}
	for _, tag := range []uint16{0x9010, 0x9011, 0x9012} { // OffsetTime and those of the others
		sub = m.text(sub, tag, "+00:00")
	}
	for _, tag := range []uint16{0x9290, 0x9291, 0x9292} { // SubSecTime and those of the others
		sub = m.text(sub, tag, ms)
	}
	return sub
}

// camera sets what the first directory says of the camera and the whole file.
func (m *merger) camera(main []entry, e EXIF) []entry {
	for _, x := range []struct {
		tag  uint16
		text string
	}{{0x010f, e.Make}, {0x0110, e.Model}} {
		if x.text != "" && !slices.ContainsFunc(main, func(y entry) bool { return y.tag == x.tag }) {
			main = m.text(main, x.tag, x.text[:min(len(x.text), exifText)])
		}
	}
	if e.Orientation >= 1 && e.Orientation <= 8 {
		var v [4]byte
		m.order.PutUint16(v[:], uint16(e.Orientation))
		main = m.put(main, entry{0x0112, tShort, 1, v})
	}
	if e.timed() {
		main = m.text(main, 0x0132, e.Time.Format(stampForm)) // DateTime
	}
	return main
}

// text sets a text field. One that does not fit into its entry goes to the end.
func (m *merger) text(dir []entry, tag uint16, s string) []entry {
	x := entry{tag: tag, typ: tASCII, count: uint32(len(s) + 1)}
	if len(s) < len(x.value) {
		copy(x.value[:], s)
		return m.put(dir, x)
	}
	m.align()
	m.order.PutUint32(x.value[:], uint32(len(m.out)-m.tiff))
	for _, c := range []byte(s) {
		m.out = append(m.out, ascii(c))
	}
	m.out = append(m.out, 0)
	return m.put(dir, x)
}

// align makes the end an even offset, as TIFF asks.
func (m *merger) align() {
	if (len(m.out)-m.tiff)%2 != 0 {
		m.out = append(m.out, 0)
	}
}

// directory writes one, in the order of its tags, and returns where it is.
func (m *merger) directory(dir []entry, next uint32) (at uint32) {
	slices.SortStableFunc(dir, func(a, b entry) int { return cmp.Compare(a.tag, b.tag) })
	m.align()
	at = uint32(len(m.out) - m.tiff)
	m.out = m.order.AppendUint16(m.out, uint16(len(dir)))
	for _, x := range dir {
		m.out = m.order.AppendUint16(m.out, x.tag)
		m.out = m.order.AppendUint16(m.out, x.typ)
		m.out = m.order.AppendUint32(m.out, x.count)
		m.out = append(m.out, x.value[:]...)
	}
	m.out = m.order.AppendUint32(m.out, next)
	return at
}

// put sets a field of a directory in place of those with its tag, whose text goes.
func (m *merger) put(dir []entry, x entry) []entry {
	dir = slices.DeleteFunc(dir, func(y entry) bool {
		if y.tag != x.tag {
			return false
		}
		if y.typ == tASCII && y.count > 4 {
			m.clear(m.order.Uint32(y.value[:]), uint64(y.count))
		}
		return true
	})
	return append(dir, x)
}

// clear makes n bytes of the old block zero, from an offset in it.
func (m *merger) clear(at uint32, n uint64) {
	if end := uint64(at) + n; at >= 8 && end <= uint64(m.old) {
		clear(m.out[m.tiff+int(at):][:n])
	}
}

// entries reads a directory and the offset of the next one.
func (t tiff) entries(at uint32) (dir []entry, next uint32, ok bool) {
	if uint64(at)+2 > uint64(len(t.b)) || at < 8 {
		return nil, 0, false
	}
	rest := t.b[at:]
	n := int(t.order.Uint16(rest))
	rest = rest[2:]
	if n > mostFields || len(rest) < 12*n {
		return nil, 0, false
	}
	for range n {
		dir = append(dir, entry{t.order.Uint16(rest), t.order.Uint16(rest[2:]), t.order.Uint32(rest[4:]), [4]byte(rest[8:12])})
		rest = rest[12:]
	}
	if len(rest) >= 4 {
		next = t.order.Uint32(rest)
	}
	if uint64(next)+2 > uint64(len(t.b)) {
		next = 0
	}
	return dir, next, true
}
