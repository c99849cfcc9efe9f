package httpcam

import (
	"context"
	"net/http/httptrace"
	"sync"
	"time"
)

// answerTimer ends a request whose answer does not come in time. The time counts
// from when the request was written, so that it is never spent on connecting; with
// a request that is repeated for its authentication it counts anew.
type answerTimer struct {
	wait  time.Duration
	timer *time.Timer

	mu    sync.Mutex
	over  bool // the answer has come, or is not waited for any more
	ended bool // by the timer
}

// newAnswerTimer returns a timer that calls end at most once.
func newAnswerTimer(wait time.Duration, end func()) *answerTimer {
	t := &answerTimer{wait: wait}
	t.timer = time.AfterFunc(wait, func() {
		if t.fire() {
			end()
		}
	})
	t.timer.Stop()
	return t
}

func (t *answerTimer) fire() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.over {
		t.over, t.ended = true, true
		return true
	}
	return false
}

// trace lets the timer begin when a request under ctx is written.
func (t *answerTimer) trace(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) {
		t.mu.Lock()
		defer t.mu.Unlock()
		if !t.over {
			t.timer.Reset(t.wait)
		}
	}})
}

// stop stops the timer and reports whether it has ended the request.
func (t *answerTimer) stop() (late bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.timer.Stop()
	t.over = true
	return t.ended
}
