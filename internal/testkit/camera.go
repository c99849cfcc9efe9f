package testkit

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"camqtt/node/camera"
)

// Camera is a camera whose pictures and faults a test decides. Set the fields
// before it is used; change them later only with [Camera.Break] and its like.
type Camera struct {
	Picture func(n int) []byte // the n-th picture since the start, from 0
	Every   time.Duration      // between pictures; 0 is 100 ms
	Warmup  time.Duration      // from open to the first picture
	Prof    camera.Profile
	// Stale makes pictures older than they are delivered by so much, like
	// boards that hand out old buffers.
	Stale time.Duration

	Opens atomic.Int64 // how often it was opened
	Open  atomic.Int64 // 1 while it is open
	Taken atomic.Int64 // pictures so far

	mu    sync.Mutex
	sift  uint64
	why   string
	modes []camera.Mode
	turns *camera.Profile
	fault error
	hang  bool
}

// Break makes the camera end with err, now and at every open; nil mends it.
func (c *Camera) Break(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fault = err
}

// Hang makes the camera stay open without pictures, or go on.
func (c *Camera) Hang(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hang = on
}

// Sift makes the camera say that it has dropped n more pictures, and why.
func (c *Camera) Sift(n uint64, why string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sift, c.why = c.sift+n, why
}

// Broken returns what Sift was told, as sources of package camera do.
func (c *Camera) Broken() (n uint64, why string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sift, c.why
}

// Become makes the camera know something else of itself than Prof, as one does
// that has answered.
func (c *Camera) Become(p camera.Profile) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turns = &p
}

// Modes returns what the camera was opened with, each time.
func (c *Camera) Modes() []camera.Mode {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]camera.Mode(nil), c.modes...)
}

func (c *Camera) broken() (error, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fault, c.hang
}

// Profile returns Prof, or what the camera has become, with the kind "fake" unless
// it says otherwise.
func (c *Camera) Profile() camera.Profile {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.Prof
	if c.turns != nil {
		p = *c.turns
	}
	if p.Kind == "" {
		p.Kind = "fake"
	}
	return p
}

// Stream delivers pictures until ctx is done or a test breaks the camera.
func (c *Camera) Stream(ctx context.Context, m camera.Mode, emit func(camera.Frame)) error {
	c.mu.Lock()
	c.modes = append(c.modes, m)
	c.mu.Unlock()
	c.Opens.Add(1)
	c.Open.Add(1)
	defer c.Open.Add(-1)
	if err, _ := c.broken(); err != nil {
		return err
	}
	if !pause(ctx, c.Warmup) {
		return nil
	}
	every := c.Every
	if every == 0 {
		every = 100 * time.Millisecond
	}
	for {
		err, hang := c.broken()
		if err != nil {
			return err
		}
		if c.Prof.Prompted && m.FPS == 0 {
			select {
			case <-ctx.Done():
				return nil
			case <-m.Prompt:
			}
			_, hang = c.broken()
		}
		if !hang {
			n := int(c.Taken.Add(1)) - 1
			emit(camera.Frame{JPEG: append([]byte(nil), c.Picture(n)...), At: time.Now().Add(-c.Stale)})
		}
		if !pause(ctx, every) {
			return nil
		}
	}
}

func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
