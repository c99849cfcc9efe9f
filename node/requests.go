package node

import (
	"fmt"
	"slices"
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
	lease    bool   // a start: it waits until pictures flow, not for a picture of its own
	cold     bool   // the camera was not delivering when the request came, or had to be opened anew for it
	accepted func() // see snapshotMessage.accepted
	note     string // goes into a good result
}

// answered reports whether the request gets a result.
func (r request) answered() bool { return r.cause == "" || r.cause == wire.CauseCommand }

// deliberate reports whether the picture is published as a snapshot.
func (r request) deliberate() bool { return r.cmd.Verb != wire.Still }

// oldest is the earliest exposure that will do.
func (r request) oldest() time.Time { return r.at.Add(-r.cmd.MaxAge) }

// requests are the requests that wait for a picture.
type requests struct {
	waiting []request
	answer  func(request, wire.Code, string) // publishes the result of one without a picture
	hint    func(now time.Time) string       // what to add where none came in time
}

// add has a request wait until a picture comes, the camera fails, or it has taken too long.
// first is how long the camera's first picture may take. It reports false when too many wait.
func (q *requests) add(r request, first time.Duration) bool {
	if len(q.waiting) >= maxPending {
		q.answer(r, wire.Busy, fmt.Sprintf("%d commands wait for a picture already", maxPending))
		return false
	}
	r.deadline = r.at.Add(first + snapGrace)
	q.waiting = append(q.waiting, r)
	return true
}

// take removes and returns the requests that a picture satisfies, exposed not before at.
// Where the connection is slower than requests come (crowded), they wait for a later picture
// and share it. Leases that wait for their first picture are answered.
func (q *requests) take(at time.Time, crowded bool) (served []request) {
	q.waiting = slices.DeleteFunc(q.waiting, func(r request) bool {
		switch {
		case r.lease:
			q.answer(r, wire.OK, r.note)
			return true
		case at.Before(r.oldest()), crowded && r.answered():
			return false
		}
		served = append(served, r)
		return true
	})
	return served
}

// refuseAll answers every request that waits.
func (q *requests) refuseAll(code wire.Code, text string) {
	waiting := q.waiting
	q.waiting = nil
	for _, r := range waiting {
		q.answer(r, code, text)
	}
}

// cooled notes that the camera closes: what the requests get comes from one that had to be
// opened.
func (q *requests) cooled() {
	for i := range q.waiting {
		q.waiting[i].cold = true
	}
}

// next is when the first request has waited too long.
func (q *requests) next() time.Time {
	var first time.Time
	for _, r := range q.waiting {
		first = earlier(first, r.deadline)
	}
	return first
}

// run answers the requests that have waited too long.
func (q *requests) run(now time.Time) {
	q.waiting = slices.DeleteFunc(q.waiting, func(r request) bool {
		if now.Before(r.deadline) {
			return false
		}
		q.answer(r, wire.Timeout, fmt.Sprintf("no fresh and whole picture within %s%s", r.deadline.Sub(r.at), q.hint(now)))
		return true
	})
}
