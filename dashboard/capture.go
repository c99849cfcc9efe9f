package dashboard

import (
	"context"
	"sync"
	"time"

	"camqtt/internal/viewer"
	"camqtt/internal/wire"
)

// captureKey is what makes two requests ask for the same.
type captureKey struct {
	id  wire.ID
	ask viewer.Ask
}

// captures shares pictures among requests that ask for the same. No request gets a picture
// that was taken before the request came, which golang.org/x/sync/singleflight would allow:
// a request that comes during a capture waits for the next one. All requests that wait
// share it. A request joins the capture under way only if its max_age allows that.
type captures struct {
	take func(context.Context, captureKey) (viewer.Picture, error)
	wg   *sync.WaitGroup // counts captures under way

	mu  sync.Mutex
	all map[captureKey]*captureLine
}

// captureLine is the capture under way and the one that follows it, which may be nil.
type captureLine struct {
	now, next *capture
}

// capture is one picture and the requests that wait for it.
type capture struct {
	ctx     context.Context // done when no request waits
	cancel  context.CancelFunc
	done    chan struct{} // closed when picture and err are set
	picture viewer.Picture
	err     error

	// Of captures.mu.
	waiting int
	began   time.Time // zero: it has not
}

func newCaptures(wg *sync.WaitGroup, take func(context.Context, captureKey) (viewer.Picture, error)) *captures {
	return &captures{take: take, wg: wg, all: map[captureKey]*captureLine{}}
}

// join returns the picture of a capture that begins now or later. The capture goes on as
// long as any request waits for it.
func (cs *captures) join(ctx context.Context, k captureKey) (viewer.Picture, error) {
	c := cs.enter(ctx, k)
	defer cs.leave(k, c)
	select {
	case <-c.done:
		return c.picture, c.err
	case <-ctx.Done():
		return viewer.Picture{}, ctx.Err()
	}
}

func (cs *captures) enter(ctx context.Context, k captureKey) *capture {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	line := cs.all[k]
	if line == nil {
		line = &captureLine{now: newCapture(ctx)}
		cs.all[k] = line
		cs.begin(k, line.now)
	}
	c := line.now
	if c.waiting > 0 && time.Since(c.began) >= k.ask.MaxAge || c.ctx.Err() != nil {
		if line.next == nil {
			line.next = newCapture(ctx)
		}
		c = line.next
	}
	c.waiting++
	return c
}

// newCapture prepares one that outlives the request which is its first.
func newCapture(ctx context.Context) *capture {
	c := &capture{done: make(chan struct{})}
	c.ctx, c.cancel = context.WithCancel(context.WithoutCancel(ctx))
	return c
}

// begin starts a capture. The caller holds mu.
func (cs *captures) begin(k captureKey, c *capture) {
	c.began = time.Now()
	cs.wg.Go(func() { // ends with the capture, at the latest when no request waits for it
		defer c.cancel()
		ctx, cancel := context.WithTimeout(c.ctx, maxCaptureTime)
		defer cancel()
		c.picture, c.err = cs.take(ctx, k)
		cs.follow(k)
		close(c.done)
	})
}

// follow begins the next capture after one has ended.
func (cs *captures) follow(k captureKey) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	line := cs.all[k]
	if line.now, line.next = line.next, nil; line.now == nil {
		delete(cs.all, k)
		return
	}
	cs.begin(k, line.now)
}

func (cs *captures) leave(k captureKey, c *capture) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if c.waiting--; c.waiting > 0 {
		return
	}
	c.cancel()
	if line := cs.all[k]; line != nil && line.next == c {
		line.next = nil
	}
}
