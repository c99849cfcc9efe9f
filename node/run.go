package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"camqtt/internal/wire"
	"camqtt/node/camera"
)

// run is the camera, open.
type run struct {
	mode    camera.Mode
	cancel  context.CancelFunc
	frames  slot[camera.Frame]
	done    chan error
	opened  time.Time
	first   time.Duration // how long the first picture may take
	newest  time.Time     // when the newest picture came, zero before the first
	gap     time.Duration // between pictures, smoothed
	begun   time.Time     // when the oldest picture came
	closing bool          // asked to end
	broken  uint64        // broken pictures of this camera when the newest came, or it was opened
	prompt  *prompter     // nil for sources that need no asking
	look    bool          // opened for a first look alone: not to be kept open

	patient bool          // it sends when it likes: silence does not end it
	every   time.Duration // how often it is expected to send; 0: not known
	overdue bool          // that has not happened, and has been said
}

// pictures is nil, which blocks for ever, when there is no camera.
func (r *run) pictures() <-chan camera.Frame {
	if r == nil {
		return nil
	}
	return r.frames
}

func (r *run) ended() <-chan error {
	if r == nil {
		return nil
	}
	return r.done
}

// warm reports whether the camera has delivered: a snap is its next picture.
func (r *run) warm() bool { return !r.closing && !r.newest.IsZero() }

// alarm is when the camera counts as stalled unless a picture comes: five of
// its own intervals, at least 3 s. Until two have come the interval is unknown.
// Zero: never.
func (r *run) alarm() time.Time {
	if r.patient {
		return r.expected()
	}
	if r.idle() {
		return r.newest.Add(24 * time.Hour)
	}
	if r.prompt != nil && r.mode.FPS == 0 && !r.prompt.waiting.IsZero() {
		return r.prompt.waiting.Add(r.first)
	}
	if r.newest.IsZero() {
		return r.opened.Add(r.first)
	}
	if r.gap == 0 {
		return r.newest.Add(r.first)
	}
	return r.newest.Add(max(3*time.Second, 5*r.gap))
}

// idle reports whether the camera is open and nothing is expected of it: it
// takes pictures when prompted, and has taken the last that was asked for.
func (r *run) idle() bool {
	return r.prompt != nil && r.mode.FPS == 0 && !r.newest.IsZero() && r.prompt.idle()
}

// saw notes that a whole picture came; broken is how many were not, ever.
func (r *run) saw(now time.Time, broken uint64) {
	if r.newest.IsZero() {
		r.begun = now
	} else {
		gap := now.Sub(r.newest)
		if r.gap == 0 {
			r.gap = gap
		}
		r.gap += (gap - r.gap) / 4
	}
	r.newest, r.broken, r.overdue = now, broken, false
}

// fault is why the camera cannot be used, until a picture comes.
type fault struct {
	code   wire.Code
	text   string
	at     time.Time
	denied bool // the camera refused the user or the password
}

// arrange opens, closes or reopens the camera so that it suits what is wanted.
func (l *loop) arrange(now time.Time) {
	if l.settings.privacy {
		l.closeRun()
		return
	}
	if !l.wanted() && !l.unasked() {
		l.linger(now)
		return
	}
	l.lingerEnd = time.Time{}
	if len(l.leases) > 0 {
		l.run.used()
	}
	if l.run == nil {
		if !now.Before(l.backoff.until) {
			l.openRun(now)
		}
		return
	}
	if l.run.closing {
		return
	}
	if alarm := l.run.alarm(); !alarm.IsZero() && !now.Before(alarm) {
		l.stalled(now)
		return
	}
	if m := l.mode(); !serves(l.run.mode, m) {
		l.Node.opts.Log.Debug("camera reopens", "from", show(l.run.mode), "to", show(m))
		l.closeRun()
		return
	}
	l.run.prompt.ask(l.pending, now)
}

// show is a mode for the log.
func show(m camera.Mode) string {
	return fmt.Sprintf("%dx%d fps=%g quality=%d", m.Width, m.Height, m.FPS, m.Quality)
}

// linger closes a camera nobody wants: at once when opening it costs nothing,
// else after keep_warm.
func (l *loop) linger(now time.Time) {
	if l.run == nil || l.run.closing {
		return
	}
	if l.lingerEnd.IsZero() {
		l.lingerEnd = now
		if !l.profile().Instant && !l.run.look {
			l.lingerEnd = now.Add(l.settings.keepWarm)
		}
	}
	if !now.Before(l.lingerEnd) || !now.Before(l.run.alarm()) {
		l.closeRun()
	}
}

// serves reports whether a camera open with mode have suits want. A rate that
// is too high does not matter: the node thins it out, which is better than the
// gap of reopening; and who streams can give single pictures too.
func serves(have, want camera.Mode) bool {
	return have.Width == want.Width && have.Height == want.Height &&
		have.Quality == want.Quality && have.Flash == want.Flash &&
		(!have.Still || want.Still) && have.FPS >= want.FPS
}

func (l *loop) openRun(now time.Time) {
	ctx, cancel := context.WithCancel(l.ctx)
	p := l.profile()
	r := &run{
		mode: l.mode(), cancel: cancel, frames: newSlot[camera.Frame](),
		done: make(chan error, 1), opened: now, first: p.FirstFrame, patient: p.Unasked, every: p.Every,
	}
	if r.first == 0 {
		r.first = firstPicture
	}
	r.broken, _ = l.broken()
	if l.profile().Prompted {
		r.prompt = newPrompter(now)
		r.mode.Prompt = r.prompt.ring
	}
	l.run = r
	r.prompt.ask(l.pending, now)
	source, count := l.opts.Source, &l.count
	go func() { // ends when the camera does; cameraEnded or closeCamera waits for done
		r.done <- source.Stream(ctx, r.mode, func(f camera.Frame) {
			count.captured.Add(1)
			if r.frames.put(f) {
				count.replaced.Add(1)
			}
		})
		close(r.done)
	}()
	level := slog.LevelInfo
	if l.fault != nil { // it is tried every few seconds
		level = slog.LevelDebug
	}
	l.opts.Log.Log(ctx, level, "camera opens", "size", wire.Size{Width: r.mode.Width, Height: r.mode.Height}.String(), "fps", r.mode.FPS, "quality", r.mode.Quality)
	l.stated.dirty = true
}

func (l *loop) closeRun() {
	if l.run == nil || l.run.closing {
		return
	}
	l.run.closing = true
	l.run.cancel()
	for i := range l.pending { // what they get comes from a camera that had to be opened
		l.pending[i].cold = true
	}
}

// reporting is a source that can say what it has received and heard, as those of
// package camera do.
type reporting interface{ Report() string }

func (l *loop) stalled(now time.Time) {
	if l.run.patient {
		l.missing(now)
		return
	}
	waited := now.Sub(l.run.opened)
	if !l.run.newest.IsZero() {
		waited = now.Sub(l.run.newest)
	}
	text := fmt.Sprintf("no picture from the camera for %s", waited.Round(100*time.Millisecond))
	if n, why := l.broken(); n > l.run.broken {
		text = fmt.Sprintf("no whole picture for %s: %d came that were broken, the last: %s", waited.Round(100*time.Millisecond), n-l.run.broken, why)
	}
	if r, ok := l.opts.Source.(reporting); ok {
		if more := r.Report(); more != "" {
			text += ": " + more
		}
	}
	l.closeRun()
	l.forgive(l.run)
	l.fail(fault{code: wire.Stalled, text: text, at: now})
}

// forgive forgets earlier failures when a run has gone well: the next is a new
// trouble.
func (l *loop) forgive(r *run) {
	if !r.newest.IsZero() {
		l.backoff.worked(r.newest.Sub(r.begun))
	}
}

// cameraEnded is called when Stream has returned, asked to or not.
func (l *loop) cameraEnded(err error) {
	r, now := l.run, time.Now()
	l.learned()
	r.cancel()
	l.run = nil
	l.stated.dirty = true
	l.closed()
	l.grown()
	if r.closing {
		l.opts.Log.Info("camera closed")
		return
	}
	if err == nil {
		err = &camera.Error{Code: camera.NoCamera, Text: "the camera ended"}
	}
	l.forgive(r)
	f := fault{code: wire.Code(camera.CodeOf(err)), text: err.Error(), at: now}
	if e, ok := errors.AsType[*camera.Error](err); ok {
		f.denied = e.Denied
	}
	l.fail(f)
}

// fail notes a fault, tells those who wait, and spaces the next attempt.
func (l *loop) fail(f fault) {
	l.count.restarts.Add(1)
	l.backoff.fail(f, l.profile().Poll)
	if l.sends && f.code == wire.Stalled {
		// It sends when it likes: who is not there then has missed a picture, and
		// nothing is spared by it.
		l.backoff.until = f.at
	}
	l.trouble(f)
}

// trouble notes a fault and tells those who wait.
func (l *loop) trouble(f fault) {
	// The text of a stall counts seconds and pictures: it is another every time.
	news := l.fault == nil || l.fault.code != f.code || l.fault.text != f.text && f.code != wire.Stalled
	l.fault = &f
	l.stated.dirty = true
	if news {
		l.opts.Log.Warn("camera failed", "code", string(f.code), "err", f.text)
		l.outbox.add(item{shot: &shot{event: &wire.Event{
			Type: wire.EventError, TS: wire.At(f.at), Code: f.code, Text: f.text,
		}}})
	}
	l.refuseAll(f.code, f.text)
}

// closed says what was to be said when the camera is closed.
func (l *loop) closed() {
	todo := l.onClosed
	l.onClosed = nil
	for _, do := range todo {
		do()
	}
}
