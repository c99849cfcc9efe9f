package node

import (
	"fmt"
	"time"

	"camqtt/internal/wire"
)

// awake is how long a board that sleeps between its pictures counts as online
// after one.
const awake = time.Minute

// unasked reports whether the camera sends when it likes, so that it has to be
// listened to whether or not anybody wants pictures.
func (l *loop) unasked() bool { return l.sends && !l.presence.standby }

// expected is when a camera that sends when it likes is overdue: one picture
// failed to come, and half the time of another. Zero: nobody knows, or it has
// been said.
func (r *run) expected() time.Time {
	if r.every == 0 || r.overdue {
		return time.Time{}
	}
	last := r.newest
	if last.IsZero() {
		last = r.opened
	}
	return last.Add(5 * r.every / 2)
}

// missing says that a camera that sends when it likes has not. It stays open:
// its next picture will mend it.
func (l *loop) missing(now time.Time) {
	l.run.overdue = true
	text := fmt.Sprintf("no picture was sent, though one is expected every %s%s", l.run.every, l.lastSent(now))
	l.trouble(fault{code: wire.Stalled, text: text, at: now})
}

// lastSent says when a camera that sends when it likes last did; "" for others.
func (l *loop) lastSent(now time.Time) string {
	switch {
	case !l.sends:
		return ""
	case l.lastAt.IsZero():
		return "; the camera sends when it likes, and has sent none since the node started"
	case l.lastPic == nil:
		return "; the camera sends when it likes, last " + now.Sub(l.lastAt).Round(time.Second).String() + " ago"
	}
	return "; the camera sends when it likes, last " + now.Sub(l.lastAt).Round(time.Second).String() + " ago: a snap with max_age takes that picture"
}

// status is online, or sleeping between the pictures of a board that sleeps.
func (l *loop) status() wire.Message {
	if l.asleep {
		return l.Node.message(wire.KindStatus, []byte(wire.Sleeping))
	}
	return l.Node.message(wire.KindStatus, []byte(wire.Online))
}

// dozesAt is when a board that is awake counts as asleep; zero for others.
func (l *loop) dozesAt() time.Time {
	if l.asleep || !l.dozes {
		return time.Time{}
	}
	return l.lastAt.Add(awake)
}

// doze publishes that a board sleeps, or does so no longer.
func (l *loop) doze(now time.Time) {
	if !l.dozes {
		return
	}
	asleep := l.lastAt.IsZero() || !now.Before(l.lastAt.Add(awake))
	if asleep == l.asleep {
		return
	}
	l.asleep = asleep
	if l.presence.online && !l.presence.standby {
		l.outbox.add(item{msgs: []wire.Message{l.status()}, state: true})
	}
}
