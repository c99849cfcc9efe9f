package jpeg

import (
	"bytes"
	"time"
)

// partHeader reads the text between the pictures of a multipart stream as far as
// it matters: the length and the type of the part that comes. It holds one line.
type partHeader struct {
	line   [96]byte
	n      int   // bytes of the line kept; what is longer loses its end
	seen   bool  // a boundary or a header of a part has been seen
	length int64 // Content-Length; 0: none that can be read
	other  bool  // Content-Type says it is no JPEG
	stamp  stamp // X-Timestamp
}

// stamp is the value of X-Timestamp: the time by the camera's own clock.
type stamp struct {
	text [24]byte
	n    int // bytes of text; a longer value is none
}

func (h *partHeader) keep(b []byte) { h.n += copy(h.line[h.n:], b) }

// take reads text and stops behind the empty line that ends a part's header. It
// returns how many bytes it used and whether it was stopped by such a line.
func (h *partHeader) take(text []byte) (n int, ended bool) {
	for n < len(text) {
		j := bytes.IndexByte(text[n:], '\n')
		if j < 0 {
			h.keep(text[n:])
			return len(text), false
		}
		h.keep(text[n : n+j])
		n += j + 1
		if h.endLine() {
			return n, true
		}
	}
	return n, false
}

func (h *partHeader) endLine() bool {
	line := bytes.TrimSpace(h.line[:h.n])
	h.n = 0
	switch {
	case len(line) == 0:
		return h.seen
	case bytes.HasPrefix(line, []byte("--")):
		*h = partHeader{seen: true}
		return false
	}
	name, value, ok := bytes.Cut(line, []byte(":"))
	if !ok {
		return false
	}
	switch value = bytes.TrimSpace(value); {
	case bytes.EqualFold(name, []byte("content-length")):
		h.seen = true
		h.length = parseLength(value)
	case bytes.EqualFold(name, []byte("content-type")):
		h.seen = true
		h.other = !maybeJPEG(value)
	case bytes.EqualFold(name, []byte("x-timestamp")) && len(value) <= len(h.stamp.text):
		h.seen = true
		h.stamp.n = copy(h.stamp.text[:], value)
	}
	return false
}

// parseLength reads digits; what is none, or more than a picture can have, is 0.
func parseLength(v []byte) (n int64) {
	for _, c := range v {
		if c < '0' || c > '9' || n > 1<<40 {
			return 0
		}
		n = 10*n + int64(c-'0')
	}
	return n
}

// maybeJPEG allows what cameras write for a JPEG, which is not always its name.
func maybeJPEG(v []byte) bool {
	v, _, _ = bytes.Cut(v, []byte(";"))
	v = bytes.TrimSpace(v)
	for _, name := range [...]string{"", "image/jpeg", "image/jpg", "image/pjpeg", "image/x-jpeg", "application/octet-stream"} {
		if bytes.EqualFold(v, []byte(name)) {
			return true
		}
	}
	return false
}

// arrivals remembers when which byte of a stream was read. It holds few entries:
// when there are more, bytes count as read a little earlier than they were.
type arrivals struct {
	list [32]arrival
	n    int
}

type arrival struct {
	offset int64
	when   time.Time
}

// add notes that the bytes from offset on arrived now; those before oldest are
// not asked for any more.
func (a *arrivals) add(oldest, offset int64, now time.Time) {
	k := 0
	for k+1 < a.n && a.list[k+1].offset <= oldest {
		k++
	}
	a.n = copy(a.list[:], a.list[k:a.n])
	if a.n == len(a.list) {
		for i := range a.n / 2 {
			a.list[i] = a.list[2*i]
		}
		a.n /= 2
	}
	a.list[a.n] = arrival{offset, now}
	a.n++
}

func (a *arrivals) at(offset int64) time.Time {
	for i := a.n - 1; i > 0; i-- {
		if a.list[i].offset <= offset {
			return a.list[i].when
		}
	}
	return a.list[0].when
}
