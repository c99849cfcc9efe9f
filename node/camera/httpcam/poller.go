package httpcam

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"camqtt/internal/jpeg"
	"camqtt/node/camera"
	"camqtt/node/camera/httpcam/board"
)

// poller asks one address for single pictures and says how old each can be.
type poller struct {
	*visit
	addr   string
	first  *answer     // to a request that was sent already
	sent   []time.Time // the last requests, as far as they matter
	broken int         // pictures in a row that were not whole
	begun  bool        // a fresh picture has come
	again  <-chan struct{}

	stamps []time.Duration // from each picture's stamp to its arrival, but for a constant
	rested bool            // the board had nothing to do before

	tag  string // ETag of the last picture, "" none
	last []byte // that picture, where it has a tag
}

// poll emits pictures at the mode's rate.
func (v *visit) poll(ctx context.Context, m camera.Mode, p *poller) error {
	p.again = m.Retake
	return camera.Every(ctx, pollInterval(m), func() error { return p.tick(ctx) })
}

// every is the time between pictures that are asked for one by one.
func pollInterval(m camera.Mode) time.Duration {
	if m.Still {
		return stillEvery
	}
	return camera.Interval(cmp.Or(m.FPS, snapshotFPS))
}

// tick emits one picture. As long as there was none that is surely taken after
// the visit began, it throws away what comes and asks again at once: a board can
// hold only so many old ones. In place of one that is not whole it asks for another,
// once: at a slow rate who waits would wait for long.
func (p *poller) tick(ctx context.Context) error {
	for replaced := false; ; {
		pic, at, err := p.shot(ctx)
		if err != nil || ctx.Err() != nil {
			return err
		}
		if pic != nil {
			if !p.begun && at.Before(p.began) {
				continue
			}
			p.begun = true
			p.emit(camera.Frame{JPEG: pic, At: at})
		}
		if !p.spoilt() || replaced {
			return nil
		}
		replaced = true
	}
}

// spoilt reports whether the last picture was not passed on.
func (p *poller) spoilt() bool {
	select {
	case <-p.again:
		return true
	default:
		return false
	}
}

// shot asks once. The picture is nil when it was not whole, which is forgiven a
// few times in a row; at is a time before which it was not taken.
func (p *poller) shot(ctx context.Context) (pic []byte, at time.Time, err error) {
	a := p.first
	p.first = nil
	if a == nil {
		if a, err = p.send(ctx, query{addr: p.addr, tag: p.tag}); err != nil {
			return nil, at, err
		}
	}
	defer a.close()
	p.sent = append(p.sent, a.asked)
	if over := len(p.sent) - maxDiscard - 1; over > 0 {
		p.sent = p.sent[over:]
	}
	if a.StatusCode == http.StatusNotModified && p.last != nil {
		return bytes.Clone(p.last), p.taken(a), nil
	}
	if err := p.refusal(a); err != nil {
		return nil, at, err
	}
	if a.is == pictureStream {
		return nil, at, p.changed(a)
	}
	pic, err = p.read(ctx, a)
	if pic == nil {
		return nil, at, err
	}
	at = p.taken(a)
	if p.tag, p.last = a.Header.Get("Etag"), nil; p.tag != "" {
		p.last = bytes.Clone(pic)
	}
	a.close() // there is only one connection to the board
	p.learn(ctx, a)
	return pic, at, nil
}

// taken is a time before which the picture of an answer was not taken; the zero
// time when that cannot be said. A picture that is at most n shots old was not
// taken before the n-th last request was sent. A stamp tells how many shots old a
// board's pictures are, and when one is older all the same.
func (p *poller) taken(a *answer) time.Time {
	depth := board.Of(board.FromAnswer(a.Header, a.ProtoMinor == 0)).Depth
	stamp, stamped := board.ParseStamp(a.Header.Get("X-Timestamp"))
	if p.option.discard >= 0 {
		depth, stamped = p.option.discard, false
	}
	if !stamped {
		return p.asked(depth)
	}
	var at time.Time
	by := a.came
	p.know(func(f *facts) {
		if f.clock.See(stamp, a.came) {
			p.log.Info("camera has restarted")
			p.sent = p.sent[len(p.sent)-1:] // those before were to another life
			f.depth, p.stamps = 0, nil
		}
		if !p.begun {
			p.stamps = append(p.stamps, a.came.Sub(p.began)-stamp)
		}
		p.rested = p.rested || len(p.stamps) == 1 && p.began.Sub(f.used) > rest
		f.used = a.came
		if depth = f.depth; depth == 0 {
			depth = board.MaxDepth
			f.depth = p.waited(stamp)
		}
		if at = p.asked(depth); !at.IsZero() {
			f.clock.After(stamp, at)
		}
		if t, ok := f.clock.NotBefore(stamp); ok && t.After(at) {
			at = t
		}
		if f.clock.Trusted(a.came) {
			by = f.clock.At(stamp, a.came)
		}
	})
	sure := p.asked(board.MaxDepth)
	p.know(func(f *facts) {
		if !f.clock.Check(stamp, a.came, sure) {
			by = a.came
		}
	})
	if by.Before(at) && !p.begun && !sure.IsZero() { // it holds more than was thought
		p.know(func(f *facts) { f.depth, f.clock = board.MaxDepth, board.Clock{} })
	}
	if by.Before(at) {
		at = by
	}
	if at.Before(sure) {
		return sure
	}
	return at
}

// asked is when the request was sent that many before the last; the zero time
// when there were not so many.
func (p *poller) asked(before int) (at time.Time) {
	if n := len(p.sent) - 1 - before; n >= 0 {
		at = p.sent[n]
	}
	return at
}

const (
	// longAgo is how much older a picture must be than the freshest for both not to
	// be of one visit.
	longAgo = 2 * time.Second
	// rest is how long a board must have had nothing to do for the pictures in its
	// buffers to be old.
	rest = 5 * time.Second
)

// waited is how many pictures had been waiting in the board when the visit began:
// they are older than the visit. At least one is, because the newest that a board
// has may be from before the request; 0 means that it cannot be said. The stamp is
// that of the newest.
func (p *poller) waited(stamp time.Duration) (n int) {
	if len(p.stamps) <= board.MaxDepth || !p.rested || stamp < rest {
		return 0
	}
	freshest := slices.Min(p.stamps)
	for n < board.MaxDepth && p.stamps[n]-freshest > longAgo {
		n++
	}
	return max(n, 1)
}

// read is the picture of an answer, or nil where it was not whole; too many of
// these in a row are an error.
func (p *poller) read(ctx context.Context, a *answer) ([]byte, error) {
	// Some cameras begin an answer and forget it without closing the connection.
	idle, whole := time.AfterFunc(idleTimeout, a.cancel), time.AfterFunc(bodyTimeout, a.cancel)
	pic, err := p.one(a, waking{a.body, idle})
	late := !idle.Stop()
	tooLong := !whole.Stop()
	switch {
	case ctx.Err() != nil:
		return nil, nil
	case err == nil:
		p.broken = 0
		return pic, nil
	case late:
		return nil, &camera.Error{Code: camera.Stalled, Text: fmt.Sprintf("camera %s began a picture and did not go on with it within %s", p.name(), idleTimeout), Err: err}
	case tooLong:
		return nil, &camera.Error{Code: camera.Stalled, Text: fmt.Sprintf("camera %s began a picture and did not finish it within %s", p.name(), bodyTimeout), Err: err}
	}
	p.broken++
	p.emit(camera.Frame{Damage: errors.New(p.redact.Line(err.Error()))})
	if p.broken < brokenInARow {
		return nil, nil
	}
	return nil, &camera.Error{Code: camera.Stalled, Text: fmt.Sprintf("camera %s sent %d pictures in a row that were no whole JPEG: %s", p.name(), p.broken, p.redact.Line(err.Error())), Err: err}
}

// waking puts a timer off with every byte that comes.
type waking struct {
	r     io.Reader
	timer *time.Timer
}

func (w waking) Read(b []byte) (int, error) {
	n, err := w.r.Read(b)
	if n > 0 && w.timer.Stop() { // once it has fired it stays so
		w.timer.Reset(idleTimeout)
	}
	return n, err
}

// one is the picture of an answer. Its end is found by its markers, because lengths
// are wrong and some cameras keep the connection open behind it; what follows, such
// as the second image of MPO (CIPA DC-007), is no picture of its own.
func (v *visit) one(a *answer, body io.Reader) ([]byte, error) {
	split := jpeg.NewSplitter(io.LimitReader(body, int64(v.max)+largestTail), jpeg.SplitterOptions{Max: v.max})
	pic, err := split.Next()
	if err == nil {
		a.rest(v)
		return pic, nil
	}
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = fmt.Errorf("got %s, want one whole picture of at most %s", a.got.Describe(v.redact.Line), camera.ByteCount(v.max))
	}
	return nil, err
}

const (
	// largestTail is what may follow a picture or be in front of it, in bytes.
	largestTail = 1 << 20
	// tailTimeout is how long what follows is waited for, so that the connection can
	// be used again.
	tailTimeout = 200 * time.Millisecond
)

// rest reads what is behind the picture, so that the connection can be used again.
// Where it does not come the length that the camera stated is wrong.
func (a *answer) rest(v *visit) {
	if a.ContentLength < 0 && len(a.TransferEncoding) == 0 {
		return // only the end of the connection ends it
	}
	late := false
	timer := time.AfterFunc(tailTimeout, a.cancel)
	_, err := io.CopyN(io.Discard, a.body, largestTail)
	late = !timer.Stop()
	if late || err == io.ErrUnexpectedEOF {
		v.know(func(f *facts) { f.unmeasured = true })
	}
}
