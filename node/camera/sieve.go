package camera

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"camqtt/internal/jpeg"
)

// How pictures are checked, in Options.Check.
const (
	CheckAuto    = "auto"    // full for boards that are known to need it and for single pictures from the network, else markers
	CheckFull    = "full"    // every code of the picture's data is read: finds nearly all damage
	CheckMarkers = "markers" // the markers are walked: finds what is cut off
)

const (
	// A stream is given up when so many pictures in a row were broken, for so long.
	hopelessPictures = 5
	hopelessTime     = 5 * time.Second
	// sayEvery is how often broken pictures are logged at most.
	sayEvery = time.Minute
)

// errCut is why a splitter drops a picture.
var errCut = errors.New("the picture is cut off, malformed or larger than allowed")

// usualCheck is what CheckAuto means for a kind of source. Boards with a radio
// send well-framed pictures in whose middle data is missing; a cable to this
// machine does not lose any, and programs make whole pictures. What an address in the
// network is turns out later: its source is tearing.
func usualCheck(scheme string) string {
	switch scheme {
	case "http", "https":
		return CheckAuto
	case "push":
		return CheckFull
	}
	return CheckMarkers
}

// tearing is a source that knows, as soon as a picture has come, whether it is of a
// camera that may send pictures with data missing, or one of few.
type tearing interface{ tears(m Mode) bool }

// sieve stands between a source and its caller. Pictures that are broken, and
// those from before the exposure has settled, do not get past it.
type sieve struct {
	Source
	deep   bool
	auto   tearing // says so instead of deep, unless nil
	settle time.Duration
	log    *slog.Logger

	walker jpeg.Walker // for the one Stream that runs at a time, as are:
	said   time.Time   // when broken pictures were last logged
	unsaid int         // broken pictures since

	good atomic.Bool // a whole picture has come before

	mu     sync.Mutex // over what is below
	broken uint64
	why    string
}

// selfSettling is a source that knows better for how long pictures are left
// out: its own part of the configuration says so.
type selfSettling interface{ settleFor() time.Duration }

// newSieve wraps a source. o has its defaults filled in.
func newSieve(source Source, o Options) *sieve {
	s := &sieve{Source: source, deep: o.Check == CheckFull, settle: max(o.Settle, 0), log: o.Log}
	if o.Check == CheckAuto {
		s.auto, _ = source.(tearing)
	}
	if own, ok := source.(selfSettling); ok {
		s.settle = own.settleFor()
	}
	return s
}

// Broken is how many pictures were dropped so far because they were not whole,
// and what was wrong with the last of them.
func (s *sieve) Broken() (n uint64, why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.broken, s.why
}

// Stream is the source's, but for the pictures left out. When for a while all of
// them are broken it ends with Stalled; at once where each has to be asked for.
func (s *sieve) Stream(ctx context.Context, m Mode, emit func(Frame)) error {
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	again := make(chan struct{}, 1)
	m.again = again
	l := &look{
		sieve: s, mode: m, emit: emit, giveUp: cancel, settler: newSettler(s.settle),
		again: again, prompted: m.Prompt != nil && m.FPS == 0,
	}
	err := s.Source.Stream(inner, m, l.take)
	if l.hopeless != nil && ctx.Err() == nil {
		return l.hopeless
	}
	return s.temporary(err)
}

// Report says what the source has received and heard since it was opened, for when
// no picture comes; "" when it cannot say.
func (s *sieve) Report() string {
	if r, ok := s.Source.(reporter); ok {
		return r.Report()
	}
	return ""
}

// temporary is err, which is no matter of the configuration where a camera has
// delivered with the same before: its server may be restarting.
func (s *sieve) temporary(err error) error {
	if e, ok := errors.AsType[*Error](err); ok && e.Code == Config && !e.Denied && s.good.Load() {
		soon := *e
		soon.Code = NoCamera
		return &soon
	}
	return err
}

// look is one Stream of a sieve.
type look struct {
	*sieve
	mode     Mode
	emit     func(Frame)
	giveUp   func()
	settler  *settler
	again    chan<- struct{} // asks for another picture
	prompted bool            // no other picture comes by itself
	row      int             // broken pictures since the last whole one
	since    time.Time       // of the first of them
	hopeless *Error
}

// take is what the source emits to.
func (l *look) take(f Frame) {
	now := time.Now()
	if l.hopeless != nil { // it is ending
		f.Report(ErrClosed)
		return
	}
	if f.bad != nil {
		l.drop(f.bad, now)
		return
	}
	settling := l.settler.waiting() && !f.settled
	var c jpeg.Coarse
	var err error
	deep := l.deep || l.auto != nil && l.auto.tears(l.mode)
	if deep || settling {
		c, err = l.walker.Walk(f.JPEG)
	}
	if !deep && (!settling || errors.Is(err, jpeg.ErrDamaged)) {
		// Only to see how bright it is was more looked at than is asked for.
		c, err = jpeg.Coarse{}, nil
		if c.Info = f.Info; c.Len != len(f.JPEG) || c.Len == 0 {
			c.Info, err = jpeg.Scan(f.JPEG)
		}
	}
	if err != nil {
		f.Report(fmt.Errorf("%w: %w", ErrDamaged, err))
		l.drop(err, now)
		return
	}
	l.row = 0
	if settling {
		mean := math.NaN()
		if c.Deep {
			mean = c.Mean
		}
		if !l.settler.ready(mean, now) {
			f.Report(fmt.Errorf("%w: the exposure of the camera settles", ErrBusy))
			return
		}
	}
	f.JPEG, f.Info = trimmed(f.JPEG, c.Len), c.Info
	l.good.Store(true)
	l.emit(f)
}

// trimmed is the picture of n bytes at the start of b. A driver that hands out
// its whole buffer, whatever is in it, must not make us keep that.
func trimmed(b []byte, n int) []byte {
	if n < len(b)/2 {
		return bytes.Clone(b[:n])
	}
	return b[:n:n]
}

// drop counts a broken picture, says so now and then, asks for another where
// that can be done, and ends the stream when there is nothing else.
func (l *look) drop(why error, now time.Time) {
	text := clean(why.Error())
	l.mu.Lock()
	l.broken++
	l.why = text
	l.mu.Unlock()
	l.unsaid++
	if l.said.IsZero() || now.Sub(l.said) >= sayEvery {
		l.log.Warn("broken pictures dropped", "count", l.unsaid, "err", text)
		l.said, l.unsaid = now, 0
	}
	if l.row == 0 {
		l.since = now
	}
	l.row++
	waited := now.Sub(l.since)
	if l.row < hopelessPictures {
		select {
		case l.again <- struct{}{}:
		default: // it is asked for already
		}
		return
	}
	if waited < hopelessTime && !l.prompted {
		return
	}
	text = fmt.Sprintf("the camera sends broken pictures only: %d in %s, the last: %s", l.row, waited.Round(100*time.Millisecond), text)
	if errors.Is(why, jpeg.ErrDamaged) {
		text += "; should they look right all the same, set check: markers"
	}
	l.hopeless = &Error{Code: Stalled, Text: text, Err: why}
	l.giveUp()
}

// cuts tells of the pictures that a splitter has dropped.
type cuts struct {
	split *jpeg.Splitter
	told  int64
}

// tell emits word of those that were dropped since it was last called.
func (c *cuts) tell(emit func(Frame)) {
	for ; c.told < c.split.Dropped(); c.told++ {
		emit(Frame{bad: errCut})
	}
}
