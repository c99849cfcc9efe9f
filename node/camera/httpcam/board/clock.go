package board

import (
	"strconv"
	"strings"
	"time"
)

// Clock estimates when, by our own clock, a board took a picture that says how
// long after the board's start it was taken. No picture arrives before it was
// taken, so the least difference ever seen between arrival and the board's time
// is the nearest to the difference of the clocks. The zero value knows nothing.
//
// Pictures that wait in a board look as if the clocks were further apart, so a
// clock is not trusted before it has seen more pictures than a board can hold.
type Clock struct {
	base        time.Time // of our clock: differences count from here
	now, before span
	last        time.Duration // of the newest picture
	seen        int           // pictures since the clock was set

	restarts time.Time // of the last one
	wrong    int       // times in which it contradicted ours
	refused  bool      // it is none
}

// What shows that stamps are no clock that counts from the board's start.
const (
	mostWrong    = 3
	leastRunning = 3 * time.Second // a board does not restart twice in so short a time
	doubtful     = 2 * time.Second // of difference, with stamps in whole seconds
)

// Check compares the stamp of a picture with a time before which it was surely not
// taken by our clock. It reports whether the stamp agrees; one that says otherwise
// several times is not believed again.
func (c *Clock) Check(stamp time.Duration, arrived, notBefore time.Time) bool {
	if c.seen == 0 || notBefore.IsZero() || !c.At(stamp, arrived).Before(notBefore.Add(-doubtful)) {
		return true
	}
	if c.wrong++; c.wrong >= mostWrong {
		c.refused = true
	}
	return false
}

// span is the least difference within some time: quartzes differ, so an old
// difference is worth nothing.
type span struct {
	began time.Time
	least time.Duration
	any   bool
	most  time.Duration // greatest difference that is sure: see After
	sure  bool
}

const (
	spanLength = 15 * time.Minute
	backwards  = time.Second // so much back in time is a restart
	coarse     = time.Second // of stamps in whole seconds
)

// See takes in a picture: its stamp and when it began to arrive. It reports
// whether the board has restarted since the last.
func (c *Clock) See(stamp time.Duration, arrived time.Time) (restarted bool) {
	restarted = c.seen > 0 && stamp < c.last-backwards && !c.refused
	if restarted {
		c.refused = !c.restarts.IsZero() && arrived.Sub(c.restarts) < leastRunning
		c.restarts = arrived
	}
	if restarted || c.seen > 0 && arrived.Sub(c.now.began) > 2*spanLength {
		*c = Clock{restarts: c.restarts, wrong: c.wrong, refused: c.refused}
	}
	if c.seen == 0 {
		c.base = arrived
	}
	c.last = stamp
	c.seen++
	if !c.now.any || arrived.Sub(c.now.began) > spanLength {
		c.before, c.now = c.now, span{began: arrived}
	}
	if d := arrived.Sub(c.base) - stamp; !c.now.any || d < c.now.least {
		c.now.least, c.now.any = d, true
	}
	return restarted
}

// After takes in that a picture was surely not taken before a time. A stamp in
// whole seconds says too little for that.
func (c *Clock) After(stamp time.Duration, t time.Time) {
	if stamp%coarse == 0 {
		return
	}
	if d := t.Sub(c.base) - stamp; !c.now.sure || d > c.now.most {
		c.now.most, c.now.sure = d, true
	}
}

// NotBefore is a time before which a picture with this stamp was surely not taken,
// by what was sure of others; ok is false when nothing was.
func (c *Clock) NotBefore(stamp time.Duration) (t time.Time, ok bool) {
	if c.refused {
		return t, false
	}
	d, ok := c.now.most, c.now.sure
	if c.before.sure && (!ok || c.before.most > d) {
		d, ok = c.before.most, true
	}
	return c.base.Add(stamp + d), ok
}

// Trusted says whether At means something, at a given time.
func (c *Clock) Trusted(now time.Time) bool {
	return !c.refused && c.seen > MaxDepth && now.Sub(c.now.began) <= 2*spanLength
}

// At is when a picture with this stamp was taken, or later by as much as the
// freshest picture so far was old when it arrived. It is never after arrived.
func (c *Clock) At(stamp time.Duration, arrived time.Time) time.Time {
	d := c.now.least
	if c.before.any {
		d = min(d, c.before.least)
	}
	at := c.base.Add(stamp + d)
	if stamp%coarse == 0 {
		// Some builds write the fraction as zeros: it is somewhere in that second.
		at = at.Add(coarse)
	}
	if at.After(arrived) {
		return arrived
	}
	return at
}

// ParseStamp reads X-Timestamp: seconds since the board's start, with a fraction.
func ParseStamp(s string) (time.Duration, bool) {
	secs, frac, _ := strings.Cut(strings.TrimSpace(s), ".")
	if secs == "" || secs[0] < '0' || secs[0] > '9' || len(secs) > 9 || len(frac) > 9 {
		return 0, false
	}
	n, err := strconv.ParseUint(secs, 10, 32)
	if err != nil {
		return 0, false
	}
	nanos, err := strconv.ParseUint(frac+"000000000"[len(frac):], 10, 32)
	if err != nil {
		return 0, false
	}
	return time.Duration(n)*time.Second + time.Duration(nanos), true
}
