package broker

import (
	"time"

	"golang.org/x/time/rate"
)

const (
	// The clock is looked at once in so many packets: of pictures none is held up by it.
	throttleEvery = 64
	// What so many bytes of a packet that is no PUBLISH cost, as packets do: about a filter.
	throttleBytes = 16
	// A client that is held back looks so often whether its connection has been closed.
	throttleStep = 100 * time.Millisecond
)

// throttle counts what a client sends. It is used by the connection's reader only.
type throttle struct {
	spent int           // packets that were not accounted for yet
	rate  *rate.Limiter // nil until the client has sent throttleEvery
}

// newRate gives room for so many packets per second, and at once.
func newRate(perSecond int) *rate.Limiter {
	return rate.NewLimiter(rate.Limit(perSecond), max(perSecond, throttleEvery))
}

// pay accounts for a packet. A client that sends more than it may, or whose account does,
// is not read for a while: each packet costs the broker more than its sender, and while
// a few send without a pause pictures of others wait for their turn.
func (t *throttle) pay(c *conn, packets int) {
	if t.spent += packets; t.spent < throttleEvery {
		return
	}
	n := t.spent
	t.spent = 0
	if t.rate == nil {
		t.rate = newRate(c.b.limits.PacketRate)
	}
	now := time.Now()
	wait := reserve(t.rate, now, n)
	if c.quota != nil {
		wait = max(wait, reserve(c.quota.rate, now, n))
	}
	for ; wait > 0 && !c.send.Closed(); wait -= throttleStep {
		time.Sleep(min(wait, throttleStep))
	}
}

// reserve takes so much of a rate, all of a second's at most, and returns how long to
// wait for it.
func reserve(l *rate.Limiter, now time.Time, n int) time.Duration {
	return l.ReserveN(now, min(n, l.Burst())).DelayFrom(now)
}
