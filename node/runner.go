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

// runner opens and closes the camera so that it suits what is wanted, notices when it
// stalls, and spaces the attempts to open it after failures.
type runner struct {
	ctx     context.Context // what the camera runs under
	source  camera.Source
	log     *slog.Logger
	count   *counters
	demand  demand
	faults  *faults
	newest  *newest
	listen  func() bool // a camera that sends by itself is open also while no picture is wanted
	changed func()      // something that state says
	arrived func()      // a whole picture has come
	ended   func()      // the camera has been closed

	open      *run // the camera, nil when closed
	backoff   backoff
	idleSince time.Time // when the open camera was last wanted; zero: it is now
	onClosed  []func()  // to do when the camera has been closed
	why       string    // what was wrong with the last picture that was refused here
}

func (r *runner) profile() camera.Profile { return r.source.Profile() }

// warm reports whether the camera is open and has delivered.
func (r *runner) warm() bool { return r.open != nil && r.open.warm() }

// frames is nil, which blocks for ever, when there is no camera.
func (r *runner) frames() <-chan camera.Frame {
	if r.open == nil {
		return nil
	}
	return r.open.frames
}

// done is nil like frames.
func (r *runner) done() <-chan error {
	if r.open == nil {
		return nil
	}
	return r.open.done
}

// next is when the camera counts as stalled, is prompted, closed for want of use, or
// opened again.
func (r *runner) next() time.Time {
	wanted := r.demand.any()
	switch {
	case r.open == nil && (wanted || r.listen()):
		return r.backoff.until
	case r.open == nil || r.open.closing:
		return time.Time{}
	}
	at := earlier(r.open.deadline(), r.open.prompt.next(r.demand.requests.waiting))
	if !wanted {
		at = earlier(at, r.idleClose())
	}
	return at
}

// run opens, closes or reopens the camera so that it suits what is wanted.
func (r *runner) run(now time.Time) {
	if r.demand.settings.private {
		r.close()
		return
	}
	if !r.demand.any() && !r.listen() {
		r.closeIdle(now)
		return
	}
	r.idleSince = time.Time{}
	if r.open == nil {
		if !now.Before(r.backoff.until) {
			r.start(now)
		}
		return
	}
	if r.demand.leases.any() {
		r.open.brief = false
	}
	if r.open.closing {
		return
	}
	if due(r.open.deadline(), now) {
		r.stalled(now)
		return
	}
	if m := r.demand.mode(r.profile()); !serves(r.open.mode, m) {
		r.log.Debug("camera reopens", "from", modeText(r.open.mode), "to", modeText(m))
		r.close()
		return
	}
	r.open.prompt.ask(r.demand.requests.waiting, now)
}

// idleClose is when a camera that is not wanted is closed: at once when opening it costs
// nothing, else after keep_warm.
func (r *runner) idleClose() time.Time {
	if r.idleSince.IsZero() || r.profile().Instant || r.open.brief {
		return r.idleSince
	}
	return r.idleSince.Add(r.demand.settings.duration(wire.SetKeepWarm))
}

func (r *runner) closeIdle(now time.Time) {
	if r.open == nil || r.open.closing {
		return
	}
	if r.idleSince.IsZero() {
		r.idleSince = now
	}
	if !now.Before(r.idleClose()) || !now.Before(r.open.deadline()) {
		r.close()
	}
}

func (r *runner) start(now time.Time) {
	ctx, cancel := context.WithCancel(r.ctx)
	p := r.profile()
	o := &run{
		mode: r.demand.mode(p), cancel: cancel, frames: newSlot[camera.Frame](), done: make(chan error, 1),
		opened: now, first: firstFrame(p), pushed: p.Unasked, every: p.Every,
	}
	o.broken, _ = r.broken()
	if p.Prompted {
		o.prompt = newPrompter(now)
		o.mode.Prompt = o.prompt.ring
	}
	r.open = o
	o.prompt.ask(r.demand.requests.waiting, now)
	source, count := r.source, r.count
	go func() { // ends when the camera does; handleEnd or stop waits for done
		o.done <- source.Stream(ctx, o.mode, func(f camera.Frame) {
			count.captured.Add(1)
			if old, replaced := o.frames.put(f); replaced {
				old.Release()
				count.replaced.Add(1)
			}
		})
		close(o.done)
	}()
	level := slog.LevelInfo
	if r.faults.now != nil { // it is tried every few seconds
		level = slog.LevelDebug
	}
	r.log.Log(ctx, level, "camera opens", "mode", modeText(o.mode))
	r.changed()
}

// firstFrame is how long the first picture may take.
func firstFrame(p camera.Profile) time.Duration {
	if p.FirstFrame == 0 {
		return firstPicture
	}
	return p.FirstFrame
}

// close asks the camera to end. handleEnd follows when it has.
func (r *runner) close() {
	if r.open == nil || r.open.closing {
		return
	}
	r.open.closing = true
	r.open.cancel()
	r.demand.requests.cooled()
}

// whenClosed calls do once the camera is closed.
func (r *runner) whenClosed(do func()) {
	if r.open == nil {
		do()
		return
	}
	r.onClosed = append(r.onClosed, do)
}

func (r *runner) closed() {
	todo := r.onClosed
	r.onClosed = nil
	for _, do := range todo {
		do()
	}
}

// stop closes the camera for good and waits until it is.
func (r *runner) stop() {
	if r.open != nil {
		r.open.cancel()
		<-r.open.done
	}
}

// received notes that a whole picture came, not exposed before at.
func (r *runner) received(at, now time.Time) {
	if !r.warm() {
		r.changed()
	}
	broken, _ := r.broken()
	r.open.received(now, broken)
	r.open.prompt.came(at, now)
	r.arrived()
}

// broken returns how many pictures so far were not whole, wherever that was
// noticed, and what was wrong with one of the last.
func (r *runner) broken() (uint64, string) {
	n, why := r.count.broken.Load(), r.why
	// A source that drops broken pictures itself counts them, as those of package camera do.
	if s, ok := r.source.(interface {
		Broken() (n uint64, why string)
	}); ok {
		m, last := s.Broken()
		if n += m; m > 0 {
			why = last
		}
	}
	return n, why
}

// stalled closes a camera from which nothing comes. One that sends by itself stays open: its
// next picture ends the fault.
func (r *runner) stalled(now time.Time) {
	if r.open.pushed {
		r.open.overdue = true
		r.report(fault{code: wire.Stalled, at: now, text: fmt.Sprintf(
			"no picture was sent, though one is expected every %s%s", r.open.every, r.newest.hint(now))})
		return
	}
	n, why := r.broken()
	text := r.open.stalled(now, n, why)
	// A source can say what it has received, as those of package camera do.
	if s, ok := r.source.(interface{ Report() string }); ok {
		if more := s.Report(); more != "" {
			text += ": " + more
		}
	}
	r.close()
	r.fail(fault{code: wire.Stalled, text: text, at: now})
}

// handleEnd is called when Stream has returned, whether it was asked to or not.
func (r *runner) handleEnd(err error) {
	o, now := r.open, time.Now()
	o.cancel()
	r.changed()
	defer r.ended()
	if o.closing {
		r.open = nil
		r.closed()
		r.log.Info("camera closed")
		return
	}
	if err == nil {
		err = &camera.Error{Code: camera.NoCamera, Text: "the camera ended"}
	}
	f := fault{code: wire.Code(camera.CodeOf(err)), text: err.Error(), at: now}
	if e, ok := errors.AsType[*camera.Error](err); ok {
		f.denied = e.Denied
	}
	r.fail(f)
	r.open = nil
	r.closed()
}

// fail notes a fault of the open camera, answers the requests that wait, and spaces the
// next attempt.
func (r *runner) fail(f fault) {
	if o := r.open; !o.newest.IsZero() { // it has worked: this is a new fault
		r.backoff.worked(o.newest.Sub(o.begun))
	}
	r.count.restarts.Add(1)
	r.backoff.fail(f, r.profile().Poll)
	if r.newest.pushed && f.code == wire.Stalled {
		r.backoff.until = f.at // pictures that it sends meanwhile would be lost
	}
	r.report(f)
}

// report notes a fault and answers the requests that wait.
func (r *runner) report(f fault) {
	r.faults.set(f)
	r.demand.requests.refuseAll(f.code, f.text)
}

// wait has a request wait for a picture.
func (r *runner) wait(q request) {
	if !r.demand.requests.add(q, firstFrame(r.profile())) {
		return
	}
	if r.open != nil {
		r.open.brief = false
	}
	r.run(q.at)
}

// refusal returns the fault because of which a request at a time is refused at once; nil:
// the camera is open, or is tried now. A broken camera is not tried more than once a second.
func (r *runner) refusal(at time.Time) *fault {
	f := r.faults.now
	if f == nil || r.open != nil {
		return nil
	}
	if at.Sub(f.at) < time.Second || r.backoff.locked(at) {
		return f
	}
	r.backoff.until = at
	return nil
}
