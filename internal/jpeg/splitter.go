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
// A picture ends where its markers say, and is handed out the moment its last byte
// is in. Lengths and types in the headers of parts are not believed: a
// Content-Length tells only that a picture is cut off, where the next part begins
// there, and that what follows a whole picture within the part is no picture of its
// own, such as the second one of a Multi-Picture file. Boundaries are not compared,
// because cameras get them wrong, and parts that are no pictures are skipped.
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
	claim int   // length of the part by its header; below 0: not known
	left  int64 // bytes of a part still to be skipped
	head  partHeader
	body  int64 // where in the stream the body that claim is about begins

	second  bool  // the picture that has begun is part of the one before
	rest    int64 // where in the stream the part of the last picture ends
	more    int   // pictures that belong to the last one and are still to come
	chances int

	handed []byte      // memory of the picture returned, until Buffer is called
	spare  chan []byte // memory of pictures that nothing uses any more

	next, stamp      stamp // of the picture that comes, and of the one returned
	first            time.Time
	info             Info // of the picture returned
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
	return &Splitter{r: r, max: o.Max, claim: -1, spare: make(chan []byte, maxSpare)}
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

// Buffer is the memory that the picture last returned by Next lies in, for one caller: nil
// when it has been called before.
func (s *Splitter) Buffer() *Buffer {
	if s.handed == nil {
		return nil
	}
	b := &Buffer{bytes: s.handed, spare: s.spare}
	s.handed = nil
	return b
}

// Info is what Scan says of the picture last returned by Next.
func (s *Splitter) Info() Info { return s.info }

// Skipped is how many bytes so far belonged to no picture: boundaries, headers,
// padding, rubbish, and pictures that were dropped.
func (s *Splitter) Skipped() int64 { return s.skipped }

// Dropped is how many pictures were begun and not handed out because they were
// truncated, malformed or too large.
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
	if !s.second {
		s.dropped++
	}
	s.abandon(n)
}

func (s *Splitter) abandon(n int) {
	s.drop(n)
	s.mode, s.claim = hunting, -1
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
	s.rest, s.more = 0, 0 // a new part has begun
	if h.length == 0 || h.length > int64(s.max) {
		return // none, or not sane
	}
	s.claim, s.body = int(h.length), s.base+int64(s.lo)
	if h.other {
		s.mode, s.left = skipping, h.length
	}
}

// begin is called where a start of image is next.
func (s *Splitter) begin() {
	at := s.base + int64(s.lo)
	s.second = !s.head.seen && (at < s.rest || s.more > 0)
	s.mode, s.w = inPicture, walk{}
	if s.claim >= 0 && s.body != at {
		s.claim = -1 // the part did not begin with a picture: its length is about something else
	}
}

// skip passes over a part that is said to be no picture, unless it is one. True: it
// needs more bytes.
func (s *Splitter) skip() bool {
	b := s.buf[s.lo:s.hi]
	if s.left == int64(s.claim) {
		switch {
		case len(b) > 0 && b[0] != 0xff:
		case len(b) < 3:
			return true
		case b[1] == mSOI && b[2] == 0xff:
			s.begin()
			return false
		}
	}
	n := int(min(s.left, int64(len(b))))
	s.drop(n)
	s.left -= int64(n)
	if s.left > 0 {
		return true
	}
	s.mode, s.claim = hunting, -1
	return false
}

// picture walks on through the picture that has begun. It returns the picture
// once it is complete; true: it needs more bytes.
func (s *Splitter) picture() (pic []byte, more bool) {
	b := s.buf[s.lo:s.hi]
	inside := b
	if s.claim >= 0 && len(b) > s.claim {
		inside = b[:s.claim]
	}
	st := s.w.advance(inside)
	if st == walkMore && len(inside) == s.claim {
		if len(b) < s.claim+partEnd {
			return nil, true
		}
		if endsPart(b[s.claim:]) {
			s.reject(s.claim)
			return nil, false
		}
		s.claim = -1 // it was wrong
		st = s.w.advance(b)
	}
	switch {
	case st == walkDone && s.w.info.Len > s.max:
		s.reject(s.w.info.Len)
	case st == walkDone:
		return s.complete(b[:s.w.info.Len]), false
	case st == walkBad && s.retry():
	case st == walkBad:
		s.reject(max(2, s.w.pos-1)) // the fault may be the next picture's SOI
	case len(b) >= s.max:
		s.reject(min(s.w.pos, len(b)))
	default:
		return nil, true
	}
	return nil, false
}

// partEnd is how many bytes tell whether a part ends.
const partEnd = 4

// endsPart reports whether b, behind a part, is the beginning of another, or of a
// picture without a header.
func endsPart(b []byte) bool {
	if b[0] == 0xff && b[1] == mSOI && b[2] == 0xff {
		return true
	}
	return bytes.HasPrefix(bytes.TrimLeft(b[:partEnd], "\r\n"), []byte("-")) || bytes.HasPrefix(b, []byte("\r\n\r\n"))
}

// retry goes back to right behind a start of image that turned out, before any
// picture data, to be none, if that may still be done.
func (s *Splitter) retry() bool {
	if s.w.part != partHead || s.chances == splitChances {
		s.chances = 0
		return false
	}
	s.chances++
	if s.claim >= 0 || s.w.info.sof != 0 || s.w.huge {
		s.reject(2)
	} else {
		s.abandon(2)
	}
	return true
}

// complete hands out a whole picture, unless it belongs to the one before.
func (s *Splitter) complete(b []byte) (pic []byte) {
	at := s.base + int64(s.lo)
	s.chances = 0
	if s.second {
		s.more--
		s.abandon(len(b))
		return nil
	}
	if s.rest = 0; s.claim > len(b) {
		s.rest = at + int64(s.claim)
	}
	s.more = max(s.w.info.pictures-1, 0)
	s.stamp, s.next = s.next, stamp{}
	s.first, s.info = s.marks.at(at), s.w.info
	pic = s.handOut(len(b))
	s.abandon(0)
	return pic
}
