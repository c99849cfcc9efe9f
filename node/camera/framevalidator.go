package camera

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"camqtt/internal/jpeg"
	"camqtt/internal/redact"
)

// How pictures are checked, in Options.Check.
const (
	CheckAuto    = "auto"    // full for boards that are known to need it and for single pictures from the network, else markers
	CheckFull    = "full"    // every code of the picture's data is read: finds nearly all damage
	CheckMarkers = "markers" // the markers are walked: finds what is cut off
)

const (
	// A stream is given up when so many pictures in a row were broken, for so long.
	MaxBroken     = 5
	maxBrokenTime = 5 * time.Second
	// sayEvery is how often broken pictures are logged at most.
	sayEvery = time.Minute
)

// tearing is a source that knows, as soon as a picture has come, whether it is of a
// camera that may send pictures with data missing, or one of few.
type tearing interface{ NeedsFullCheck(m Mode) bool }

// FrameValidator stands between a source and its caller. Pictures that are broken, and
// those from before the exposure has settled, do not get past it.
type FrameValidator struct {
	Source
	deep   bool
	auto   tearing // says so instead of deep, unless nil
	settle time.Duration
	log    *slog.Logger

	timeout time.Duration // for the first picture, where the configuration says so

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
type selfSettling interface{ SettleTime() time.Duration }

// NewFrameValidator wraps a source. o has its defaults filled in.
func NewFrameValidator(source Source, o Options) *FrameValidator {
	s := &FrameValidator{Source: source, deep: o.Check == CheckFull, settle: max(o.Settle, 0), log: o.Log, timeout: o.Timeout}
	if o.Check == CheckAuto {
		s.auto, _ = source.(tearing)
	}
	if own, ok := source.(selfSettling); ok {
		s.settle = own.SettleTime()
	}
	return s
}

// Profile is that of the source, with the time that its first picture may take.
func (s *FrameValidator) Profile() Profile {
	p := s.Source.Profile()
	p.FirstFrame = cmp.Or(s.timeout, p.FirstFrame)
	return p
}

// Broken is how many pictures were dropped so far because they were not whole,
// and what was wrong with the last of them.
func (s *FrameValidator) Broken() (n uint64, why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.broken, s.why
}

// Stream is the source's, but for the pictures left out. When for a while all of
// them are broken it ends with Stalled; at once where each has to be asked for.
func (s *FrameValidator) Stream(ctx context.Context, m Mode, emit func(Frame)) error {
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	again := make(chan struct{}, 1)
	m.Retake = again
	l := &validation{
		FrameValidator: s, mode: m, emit: emit, giveUp: cancel, settler: NewExposureSettler(s.settle),
		again: again, prompted: m.Prompt != nil && m.FPS == 0,
	}
	err := s.Source.Stream(inner, m, l.take)
	if l.failed != nil && ctx.Err() == nil {
		return l.failed
	}
	return s.temporary(err)
}

// Report says what the source has received and heard since it was opened, for when
// no picture comes; "" when it cannot say.
func (s *FrameValidator) Report() string {
	if r, ok := s.Source.(reporter); ok {
		return r.Report()
	}
	return ""
}

// temporary is err, which is no matter of the configuration where a camera has
// delivered with the same before: its server may be restarting.
func (s *FrameValidator) temporary(err error) error {
	if e, ok := errors.AsType[*Error](err); ok && e.Code == Config && !e.Denied && s.good.Load() {
		soon := *e
		soon.Code = NoCamera
		return &soon
	}
	return err
}

// validation is one Stream of a FrameValidator.
type validation struct {
	*FrameValidator
	mode     Mode
	emit     func(Frame)
	giveUp   func()
	settler  *ExposureSettler
	again    chan<- struct{} // asks for another picture
	prompted bool            // no other picture comes by itself
	row      int             // broken pictures since the last whole one
	since    time.Time       // of the first of them
	failed   *Error
}

// take is what the source emits to.
func (l *validation) take(f Frame) {
	now := time.Now()
	if l.failed != nil { // it is ending
		f.Report(ErrClosed)
		return
	}
	if f.Damage != nil {
		l.drop(f.Damage, now)
		return
	}
	settling := l.settler.Waiting() && !f.Settled
	var c jpeg.Coarse
	var err error
	deep := l.deep || l.auto != nil && l.auto.NeedsFullCheck(l.mode)
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
		if !l.settler.Ready(mean, now) {
			f.Report(fmt.Errorf("%w: the exposure of the camera settles", ErrBusy))
			return
		}
	}
	f.JPEG, f.Info = TrimPicture(f.JPEG, c.Len), c.Info
	l.good.Store(true)
	l.emit(f)
}

// TrimPicture is the picture of n bytes at the start of b. A driver that hands out
// its whole buffer, whatever is in it, must not make us keep that.
func TrimPicture(b []byte, n int) []byte {
	if n < len(b)/2 {
		return bytes.Clone(b[:n])
	}
	return b[:n:n]
}

// drop counts a broken picture, says so now and then, asks for another where
// that can be done, and ends the stream when there is nothing else.
func (l *validation) drop(why error, now time.Time) {
	text := redact.Line(why.Error())
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
	if l.row < MaxBroken {
		select {
		case l.again <- struct{}{}:
		default: // it is asked for already
		}
		return
	}
	if waited < maxBrokenTime && !l.prompted {
		return
	}
	text = fmt.Sprintf("the camera sends broken pictures only: %d in %s, the last: %s", l.row, waited.Round(100*time.Millisecond), text)
	if errors.Is(why, jpeg.ErrDamaged) {
		text += "; should they look right all the same, set check: markers"
	}
	l.failed = &Error{Code: Stalled, Text: text, Err: why}
	l.giveUp()
}

// reporter is a source that can say more about why no picture comes.
type reporter interface{ Report() string }

// Settings returns whether all data of each picture is checked, and for how long
// exposure may settle.
func (s *FrameValidator) Settings() (full bool, settle time.Duration) { return s.deep, s.settle }
