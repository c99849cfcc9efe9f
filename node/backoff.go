package node

import (
	"math/rand/v2"
	"time"

	"camqtt/internal/wire"
)

// backoff spaces attempts to open a camera that has failed.
//
// A camera that has delivered pictures before is there, and its errors are taken for
// temporary: a server that restarts answers with all kinds of errors on the way. It
// is tried again soon. One that never did is tried ever less often. Where the user
// or the password is refused there are only a few attempts, because cameras lock
// accounts.
type backoff struct {
	good   bool          // a picture has come before
	step   time.Duration // doubles with each failure in a row
	denied int           // refusals of the user in a row
	until  time.Time
}

const (
	retryLeast  = time.Second
	retryMost   = time.Minute
	retryGood   = 1800 * time.Millisecond // at most, of a camera that has worked
	retryBusy   = 5 * time.Second
	retryConfig = time.Minute // the same words will fail again: do not hammer
	healthy     = time.Minute // of pictures, after which a failure is a new trouble
	mostDenied  = 3           // attempts with a user that is refused, before they double
)

// fail notes a failure. poll, unless 0, is how often to look for a camera that is
// not there instead of backing off: it may be plugged in at any time.
func (b *backoff) fail(f fault, poll time.Duration) {
	var wait time.Duration
	switch {
	case f.denied:
		b.denied++
		b.step = retryLeast << min(b.denied-1, 10)
		wait = min(b.step, retryMost)
	case f.code == wire.NoCamera && poll > 0:
		wait = poll
	case b.good:
		b.step = min(max(2*b.step, retryLeast), retryGood)
		wait = b.step
	case f.code == wire.Config:
		wait = retryConfig
	case f.code == wire.CameraBusy:
		wait = retryBusy
	default:
		b.step = min(max(2*b.step, retryLeast), retryMost)
		wait = b.step
	}
	b.until = f.at.Add(time.Duration((0.8 + 0.4*rand.Float64()) * float64(wait)))
}

// worked notes that pictures have come, for so long.
func (b *backoff) worked(length time.Duration) {
	b.good, b.denied = true, 0
	if length >= healthy {
		b.step, b.until = 0, time.Time{}
	}
}

// locked reports whether not even a request may shorten the wait.
func (b *backoff) locked(now time.Time) bool { return b.denied >= mostDenied && now.Before(b.until) }
