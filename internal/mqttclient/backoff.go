package mqttclient

import (
	"math/rand/v2"
	"time"
)

// backoff yields growing pauses, each between half and all of its step, so
// that a thousand clients of a restarted broker do not come back in one second.
type backoff struct{ least, most, step time.Duration }

func newBackoff(least, most time.Duration) *backoff { return &backoff{least, most, least} }

func (b *backoff) next() time.Duration {
	d := b.step/2 + rand.N(b.step/2+1)
	b.step = min(2*b.step, b.most)
	return d
}

func (b *backoff) reset() { b.step = b.least }
