package access

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

const (
	maxTried   = 4096             // remembered tries
	rightFor   = 24 * time.Hour   // a right password is remembered
	wrongFor   = time.Hour        // a wrong one
	maxWaiting = 64               // tries that wait for their turn
	maxWait    = 10 * time.Second // for one's turn
)

// checker compares passwords: few at a time, and none twice.
type checker struct {
	key     [32]byte // of the HMAC under which tries are remembered
	guard   *guard
	turns   chan struct{}
	waiting atomic.Int64
	runs    atomic.Int64 // hashes computed, for tests and figures

	mu    sync.Mutex
	tried map[[32]byte]*try
}

// try is a name with a password that was or is being compared.
type try struct {
	done  chan struct{} // closed when right is set
	right bool
	at    time.Time
	err   error // it could not be compared
}

// newChecker leaves half of the processors to others; two hashes at once is the most,
// at 20 MB each.
func newChecker() *checker {
	c := &checker{guard: newGuard(), turns: make(chan struct{}, min(2, max(1, runtime.NumCPU()/2))), tried: map[[32]byte]*try{}}
	_, _ = rand.Read(c.key[:]) // never fails: crypto/rand
	return c
}

// tryID identifies a try. The secret in the file is part of it, so a new password makes
// results for the old one worthless. The address is part of it too: otherwise an address
// without tries could still ask for remembered results.
func (c *checker) tryID(v source, at Attempt, text string) (m [32]byte) {
	h := hmac.New(sha256.New, c.key[:])
	fmt.Fprintf(h, "%s %d %d\n", v.from, len(at.User), len(text))
	h.Write([]byte(at.User))
	h.Write([]byte(text))
	h.Write([]byte(at.Secret))
	h.Sum(m[:0])
	return m
}

// compare reports whether a password is right. e is nil where there is no such account.
// That takes as long, and so does an account that has a token. A try that was made before
// costs nothing. A right one counts only where a new try would be allowed; otherwise
// guessing could go on with remembered results.
func (c *checker) compare(ctx context.Context, e *entry, at Attempt) (right bool, err error) {
	text := ""
	if e != nil {
		text = e.text
	}
	v := sourceOf(at)
	id, now := c.tryID(v, at, text), time.Now()
	c.mu.Lock()
	t := c.tried[id]
	if t == nil || t.over(now) {
		if wait := c.guard.take(v, now); wait > 0 {
			c.mu.Unlock()
			return false, &Slow{After: wait}
		}
		t = &try{done: make(chan struct{}), at: now}
		c.remember(id, t, now)
		c.mu.Unlock()
		return c.resolve(ctx, e, at, t)
	}
	c.mu.Unlock()
	select {
	case <-t.done:
	case <-ctx.Done():
		return false, ctx.Err()
	}
	if t.err != nil && ctx.Err() == nil && (errors.Is(t.err, context.Canceled) || errors.Is(t.err, context.DeadlineExceeded)) {
		return c.compare(ctx, e, at) // the request that compared was cancelled
	}
	if !t.right {
		return false, t.err
	}
	if wait := c.guard.wait(v, now); wait > 0 {
		return false, &Slow{After: wait}
	}
	c.guard.remember(v, now)
	return true, nil
}

// resolve compares the password of a try that is remembered already.
func (c *checker) resolve(ctx context.Context, e *entry, at Attempt, t *try) (bool, error) {
	v := sourceOf(at)
	t.right, t.err = c.hash(ctx, e, at)
	switch {
	case t.err != nil: // not compared
		c.forget(t)
		c.guard.refund(v, time.Now())
	case t.right:
		c.guard.refund(v, time.Now())
		c.guard.remember(v, time.Now())
	}
	close(t.done)
	return t.right, t.err
}

// over reports whether a try is too old to count. One under way never is.
func (t *try) over(now time.Time) bool {
	select {
	case <-t.done:
	default:
		return false
	}
	life := wrongFor
	if t.right {
		life = rightFor
	}
	return now.Sub(t.at) > life
}

// remember keeps a try, and makes room by forgetting wrong ones first. The caller
// holds mu.
func (c *checker) remember(id [32]byte, t *try, now time.Time) {
	if len(c.tried) >= maxTried {
		for m, old := range c.tried {
			select {
			case <-old.done:
				if !old.right || old.over(now) {
					delete(c.tried, m)
				}
			default:
			}
		}
	}
	for m := range c.tried {
		if len(c.tried) < maxTried {
			break
		}
		delete(c.tried, m)
	}
	c.tried[id] = t
}

func (c *checker) forget(t *try) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, other := range c.tried {
		if other == t {
			delete(c.tried, id)
		}
	}
}

// hash waits for its turn and compares.
func (c *checker) hash(ctx context.Context, e *entry, at Attempt) (bool, error) {
	if at.User == "" { // a token that is none: there is no name to be silent about
		return false, nil
	}
	if c.waiting.Add(1) > maxWaiting {
		c.waiting.Add(-1)
		return false, &Slow{After: maxWait}
	}
	late := time.NewTimer(maxWait)
	defer late.Stop()
	select {
	case c.turns <- struct{}{}:
		c.waiting.Add(-1)
	case <-late.C:
		c.waiting.Add(-1)
		return false, &Slow{After: maxWait}
	case <-ctx.Done():
		c.waiting.Add(-1)
		return false, ctx.Err()
	}
	defer func() { <-c.turns }()
	c.runs.Add(1)
	if e == nil || e.secret.token {
		standard().hash(at.Secret, make([]byte, 16))
		return false, nil
	}
	s := &e.secret
	return subtle.ConstantTimeCompare(s.cost.hash(at.Secret, s.salt), s.hash) == 1, nil
}
