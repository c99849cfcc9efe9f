package camera

import (
	"context"
	"sync/atomic"
	"time"
)

// zslLag is how old the frame may be that a program with zero shutter lag makes
// its picture of: those that are in its buffers when the signal comes. So the
// signal is sent that much later, and the picture is never older than the wish.
const zslLag = 200 * time.Millisecond

// stills makes a running rpicam-still take pictures: one for each prompt, in
// place of a damaged one, and at the rate of the mode, the next only when the last has arrived.
type stills struct {
	prompt  <-chan struct{}
	again   <-chan struct{} // the last was damaged
	every   time.Duration   // 0: by prompt only
	settle  time.Duration
	lag     time.Duration
	asked   atomic.Int64  // when the signal for the last was sent, in ns since the epoch
	arrived chan struct{} // holds one when a picture has come
}

func newStills(o rpicamOptions, m Mode) *stills {
	s := &stills{prompt: m.Prompt, again: m.again, settle: o.settle, arrived: make(chan struct{}, 1)}
	if o.zsl {
		s.lag = zslLag
	}
	if m.FPS == 0 && m.Prompt == nil {
		m.FPS = stillsFPS
	}
	if m.FPS > 0 {
		s.every = interval(m.FPS)
	}
	return s
}

// drives makes the stills those of the program.
func (s *stills) drives(g *program) {
	g.drive = s.drive
	g.at = func(first time.Time) time.Time {
		select {
		case s.arrived <- struct{}{}:
		default: // more came than were asked for
		}
		if asked := s.asked.Load(); asked > 0 {
			return time.Unix(0, asked).Add(-s.lag)
		}
		return first
	}
}

func (s *stills) drive(ctx context.Context, p *process) {
	if !p.awaitReady(ctx) || !waited(ctx, s.settle) {
		return
	}
	due := time.NewTimer(0)
	defer due.Stop()
	if s.every == 0 {
		due.Stop()
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.prompt:
		case <-s.again:
		case <-due.C:
		}
		if s.every > 0 {
			due.Reset(s.every)
		}
		if !waited(ctx, s.lag) {
			return
		}
		select {
		case <-s.arrived: // one that nobody asked for
		default:
		}
		s.asked.Store(time.Now().UnixNano())
		p.takePicture()
		select {
		case <-ctx.Done():
			return
		case <-s.arrived:
		}
	}
}

// waited waits; it reports false when ctx is done first.
func waited(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
