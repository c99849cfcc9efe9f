package node

import (
	"fmt"
	"time"

	"camqtt/internal/wire"
)

// request waits for a picture: a snap, a still, a scheduled snapshot, or a start whose
// result is the first picture.
type request struct {
	cmd      wire.Command
	cause    string // of the picture; "" is a command
	at       time.Time
	deadline time.Time
	lease    bool   // a start: wants to know that pictures flow, not a picture of its own
	cold     bool   // the camera was not delivering when the request came, or had to be opened anew for it
	accepted func() // see shot.accepted
	note     string // goes into a good result
}

// asked reports whether somebody waits for a result of it.
func (r request) asked() bool { return r.cause == "" || r.cause == wire.CauseCommand }

// deliberate reports whether the picture is published as a snapshot.
func (r request) deliberate() bool { return r.cmd.Verb != wire.Still }

// oldest is the earliest exposure that will do.
func (r request) oldest() time.Time { return r.at.Add(-r.cmd.MaxAge) }

// request takes a snap or still: from memory when an older picture will do, else it
// waits for one exposed from now on, together with all who wait already.
func (l *loop) request(r request) {
	r.cold = l.run == nil || !l.run.warm()
	if age := r.cmd.MaxAge; age > 0 && l.lastPic != nil && !l.lastPic.at.Before(r.oldest()) && l.serveOld(r) {
		return
	}
	if f := l.fault; f != nil && l.run == nil {
		if r.at.Sub(f.at) < time.Second || l.backoff.locked(r.at) { // do not hammer a broken camera
			l.answerRequest(r, f.code, f.text)
			return
		}
		l.backoff.until = r.at
	}
	l.await(r)
}

// serveOld answers with the newest picture there is, if its size will do.
func (l *loop) serveOld(r request) bool {
	if want := r.cmd.Size; want != (wire.Size{}) && want.Pixels() > l.lastPic.info.Width*l.lastPic.info.Height {
		return false
	}
	if !l.fits(l.lastPic) || l.outbox.crowded() {
		return false
	}
	if r.deliberate() {
		l.shoot(l.lastPic, []request{r}, time.Now())
	} else {
		l.show(l.lastPic, []request{r}, time.Now())
	}
	return true
}

// await queues a request until a picture comes, the camera fails, or it has
// taken too long.
func (l *loop) await(r request) {
	if len(l.pending) >= maxPending {
		l.answerRequest(r, wire.Busy, fmt.Sprintf("%d commands wait for a picture already", maxPending))
		return
	}
	first := l.profile().FirstFrame
	if first == 0 {
		first = firstPicture
	}
	r.deadline = r.at.Add(first + snapGrace)
	l.pending = append(l.pending, r)
	l.run.used()
	l.arrange(r.at)
}

func (l *loop) expireRequests(now time.Time) {
	l.pending = keep(l.pending, func(r request) bool {
		if now.Before(r.deadline) {
			return true
		}
		l.answerRequest(r, wire.Timeout, fmt.Sprintf("no fresh and whole picture within %s%s", r.deadline.Sub(r.at), l.lastSent(now)))
		return false
	})
}

// refuseAll answers everybody who waits.
func (l *loop) refuseAll(code wire.Code, text string) {
	waiting := l.pending
	l.pending = nil
	for _, r := range waiting {
		l.answerRequest(r, code, text)
	}
}

func (l *loop) answerRequest(r request, code wire.Code, text string) {
	if !r.asked() {
		l.opts.Log.Warn("no snapshot", "cause", r.cause, "code", string(code), "err", text)
		return
	}
	l.answer(r.cmd, r.at, code, text)
}

// answer publishes the one result of a command.
func (l *loop) answer(c wire.Command, at time.Time, code wire.Code, text string) {
	now := time.Now()
	l.reply(wire.Result{
		Cmd: string(c.Verb), ID: c.ID, OK: code == wire.OK, Code: code, Text: text,
		TS: wire.At(now), TookMS: since(at, now),
	})
}

func (l *loop) reply(r wire.Result) {
	l.outbox.add(item{shot: &shot{results: []wire.Result{r}}})
}

// keep filters in place.
func keep[T any](all []T, ok func(T) bool) []T {
	kept := all[:0]
	for _, v := range all {
		if ok(v) {
			kept = append(kept, v)
		}
	}
	clear(all[len(kept):])
	return kept
}
