package jpeg

import "bytes"

const mpHead = "MPF\x00"

// pictureCount is how many pictures a Multi-Picture file has, by the index in its
// first one's APP2 segment (CIPA DC-007, 5.2.3): the others are previews, a second
// eye or a gain map. 0: the segment is about something else.
func pictureCount(s []byte) int {
	const tagCount, most = 0xb001, 16
	index, ok := bytes.CutPrefix(s, []byte(mpHead))
	if !ok {
		return 0
	}
	t, ok := openTIFF(index)
	if !ok {
		return 0
	}
	f, ok := t.find(t.order.Uint32(t.b[4:]), tagCount)
	if !ok || f.typ != tLong || t.order.Uint32(f.value) > most {
		return 0
	}
	return int(t.order.Uint32(f.value))
}
