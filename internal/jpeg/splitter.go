package jpeg

import (
	"bytes"
	"io"
	"time"
)

// SplitterOptions says how a Splitter works. The zero value is good.
type SplitterOptions struct {
	// Max is the largest picture passed on, in bytes, and the bound of what is
	// held in memory; 0 is 8 MiB.
	Max int
}

// Splitter takes pictures out of a byte stream: bare JPEGs one after another,
// or the parts of a multipart/x-mixed-replace body; it need not be told which.
//
// A part whose header gives a sane Content-Length must be exactly one whole
// picture, padding by zeros or line ends allowed; if it is not, it is dropped
// and counted, and lengths are not believed again until one is right. Where
// there is no length, the end is found by walking the markers. Either way a
// picture is handed out the moment its last byte is in. Boundaries are not
// looked at, because cameras get them wrong, and parts of another type are
// skipped.
//
// After rubbish or a truncated picture it goes on with the next good one. The
// work is linear in the bytes read, whatever they are. A Splitter is for one
// goroutine.
type Splitter struct {
	r   io.Reader
	max int

	buf    []byte
	lo, hi int   // buf[lo:hi] is read and not yet used
	base   int64 // where in the stream buf[0] is
	marks  arrivals

	mode  splitMode
	w     walk
	limit int   // length the part must have; below 0: not known or not believed
	claim int   // what its header said, believed or not
	pad   int   // bytes after the picture, within limit, already seen to be padding
	left  int64 // bytes of a part still to be skipped
	head  partHeader
	body  int64 // where in the stream the body that claim is about begins

	doubt   bool // the last length given was wrong
	chances int

	next, stamp      stamp // of the picture that comes, and of the one returned
	first            time.Time
	skipped, dropped int64
}

type splitMode uint8

const (
	hunting   splitMode = iota // between pictures
	inPicture                  // buf[lo:] begins with SOI
	skipping                   // inside a part that is no picture
)

const (
	splitStart = 64 << 10
	splitMax   = 8 << 20
	// A false start of image can hide a real one behind a segment length that
	// means nothing. So many times in a row the bytes behind it are looked at
	// again; the bound keeps the work linear.
	splitChances = 8
	// Reads that bring nothing before the reader is called broken.
	splitIdleReads = 100
)

// NewSplitter returns a Splitter that reads from r. It reads ahead.
func NewSplitter(r io.Reader, o SplitterOptions) *Splitter {
	if o.Max <= 0 {
		o.Max = splitMax
	}
	return &Splitter{r: r, max: o.Max, limit: -1, claim: -1}
}

// Next returns the next whole picture, in a slice of its own that the caller
// may keep; Scan finds no fault with it. The error is the reader's; a stream
// that ends inside a picture gives io.ErrUnexpectedEOF.
func (s *Splitter) Next() ([]byte, error) {
	for {
		if pic := s.step(); pic != nil {
			return pic, nil
		}
		err := s.fill()
		if err == nil {
			continue
		}
		if pic := s.step(); pic != nil {
			return pic, nil // the reader says its error again
		}
		if err == io.EOF && s.mode == inPicture {
			if s.retry() {
				continue
			}
			s.reject(s.hi - s.lo)
			err = io.ErrUnexpectedEOF
		}
		if err == io.EOF {
			s.drop(s.hi - s.lo) // what might have become a start of image
		}
		return nil, err
	}
}

// First is when the first byte of the picture last returned by Next was read:
// when Read returned it. It may be earlier, never later, when many reads had to
// be remembered.
func (s *Splitter) First() time.Time { return s.first }

// Stamp is what the header of the picture last returned by Next said as
// X-Timestamp, which is in the camera's own measure; "" when it said nothing.
func (s *Splitter) Stamp() string { return string(s.stamp.text[:s.stamp.n]) }

// Skipped is how many bytes so far belonged to no picture: boundaries, headers,
// padding, rubbish, and pictures that were dropped.
func (s *Splitter) Skipped() int64 { return s.skipped }

// Dropped is how many pictures were begun and not handed out because they were
// truncated, malformed, too large or not as long as their header said.
func (s *Splitter) Dropped() int64 { return s.dropped }

// fill reads once into the buffer, making room first.
func (s *Splitter) fill() error {
	switch {
	case s.lo == s.hi:
		s.base += int64(s.lo)
		s.lo, s.hi = 0, 0
	case s.hi == len(s.buf) && s.lo > 0:
		copy(s.buf, s.buf[s.lo:s.hi])
		s.base += int64(s.lo)
		s.lo, s.hi = 0, s.hi-s.lo
	}
	if s.hi == len(s.buf) {
		// step never leaves more than max bytes unused, so this is bounded.
		grown := make([]byte, min(max(2*len(s.buf), splitStart), s.max+splitStart))
		copy(grown, s.buf[:s.hi])
		s.buf = grown
	}
	for range splitIdleReads {
		n, err := s.r.Read(s.buf[s.hi:])
		if n > 0 {
			s.marks.add(s.base+int64(s.lo), s.base+int64(s.hi), time.Now())
			s.hi += n
		}
		if n > 0 || err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

// step uses up what is in the buffer until there is a picture or more is needed.
func (s *Splitter) step() []byte {
	for {
		more := false
		switch s.mode {
		case hunting:
			more = s.hunt()
		case skipping:
			more = s.skip()
		case inPicture:
			var pic []byte
			if pic, more = s.picture(); pic != nil {
				return pic
			}
		}
		if more {
			return nil
		}
	}
}

// drop passes over n bytes that belong to no picture.
func (s *Splitter) drop(n int) {
	s.lo += n
	s.skipped += int64(n)
}

// reject gives up the picture that has begun, and n bytes with it.
func (s *Splitter) reject(n int) {
	s.dropped++
	s.doubt = s.doubt || s.limit >= 0
	s.abandon(n)
}

func (s *Splitter) abandon(n int) {
	s.drop(n)
	s.mode, s.limit, s.claim = hunting, -1, -1
	s.head = partHeader{}
}

// hunt looks for a picture or the header of a part. True: it needs more bytes.
func (s *Splitter) hunt() bool {
	for s.lo < s.hi {
		b := s.buf[s.lo:s.hi]
		text := b
		i := bytes.IndexByte(b, 0xff)
		if i >= 0 {
			text = b[:i]
		}
		n, ended := s.head.take(text)
		s.drop(n)
		if ended {
			if s.enter(); s.mode != hunting {
				return false
			}
			continue
		}
		if i < 0 {
			return true
		}
		switch b = b[i:]; {
		case len(b) < 2 || b[1] == mSOI && len(b) < 3:
			return true
		case b[1] == mSOI && b[2] == 0xff:
			s.begin()
			return false
		}
		s.head.keep(b[:1])
		s.drop(1)
	}
	return true
}

// enter is called where the header of a part ends.
func (s *Splitter) enter() {
	h := s.head
	s.head = partHeader{}
	s.claim, s.next = -1, h.stamp
	if h.length == 0 || h.length > int64(s.max) {
		return // none, or not sane
	}
	if h.other {
		s.mode, s.left = skipping, h.length
		return
	}
	s.claim, s.body = int(h.length), s.base+int64(s.lo)
}

// begin is called where a start of image is next.
func (s *Splitter) begin() {
	s.mode, s.w, s.pad, s.limit = inPicture, walk{}, 0, -1
	if s.claim >= 0 && s.body != s.base+int64(s.lo) {
		s.claim = -1 // the part did not begin with a picture: its length is about something else
	}
	if s.claim >= 0 && !s.doubt {
		s.limit = s.claim
	}
}

// skip passes over the rest of a part. True: it needs more bytes.
func (s *Splitter) skip() bool {
	n := int(min(s.left, int64(s.hi-s.lo)))
	s.drop(n)
	s.left -= int64(n)
	if s.left > 0 {
		return true
	}
	s.mode = hunting
	return false
}

// picture walks on through the picture that has begun. It returns the picture
// once it is complete; true: it needs more bytes.
func (s *Splitter) picture() (pic []byte, more bool) {
	b := s.buf[s.lo:s.hi]
	if s.limit >= 0 && len(b) > s.limit {
		b = b[:s.limit]
	}
	st := walkDone
	if s.w.info.Len == 0 {
		st = s.w.advance(b)
	}
	switch {
	case st == walkDone && s.w.info.Len > s.max:
		s.reject(s.w.info.Len)
	case st == walkDone:
		return s.complete(b)
	case st == walkBad && s.retry():
	case st == walkBad:
		s.reject(max(2, s.w.pos-1)) // the fault may be the next picture's SOI
	case len(b) == s.limit:
		s.reject(s.limit)
	case len(b) >= s.max:
		s.reject(min(s.w.pos, len(b)))
	default:
		return nil, true
	}
	return nil, false
}

// retry goes back to right behind a start of image that turned out, before any
// picture data, to be none, if that may still be done.
func (s *Splitter) retry() bool {
	if s.w.part != partHead || s.chances == splitChances {
		s.chances = 0
		return false
	}
	s.chances++
	if s.limit >= 0 || s.w.info.sof != 0 || s.w.huge {
		s.reject(2)
	} else {
		s.abandon(2)
	}
	return true
}

// complete hands out the picture at the start of b, which is whole, if its part
// is as long as was said. True: it needs more bytes to know.
func (s *Splitter) complete(b []byte) (pic []byte, more bool) {
	n := s.w.info.Len
	if s.limit >= 0 {
		for ; n+s.pad < len(b); s.pad++ {
			if c := b[n+s.pad]; c != 0 && c != '\r' && c != '\n' {
				s.reject(n)
				return nil, false
			}
		}
		if len(b) < s.limit {
			return nil, true
		}
	}
	if s.claim >= 0 && s.limit < 0 {
		s.doubt = n != s.claim
	}
	pic = bytes.Clone(b[:n])
	s.stamp, s.next = s.next, stamp{}
	s.first = s.marks.at(s.base + int64(s.lo))
	s.lo += n
	s.abandon(s.pad)
	s.chances = 0
	return pic, false
}
