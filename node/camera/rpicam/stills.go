package rpicam

import (
	"context"
	"sync/atomic"
	"time"

	"camqtt/node/camera"
	"camqtt/node/camera/subprocess"
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

func newStills(o rpicamOptions, m camera.Mode) *stills {
	s := &stills{prompt: m.Prompt, again: m.Retake, settle: o.settle, arrived: make(chan struct{}, 1)}
	if o.zsl {
		s.lag = zslLag
	}
	if m.FPS == 0 && m.Prompt == nil {
		m.FPS = stillsFPS
	}
	if m.FPS > 0 {
		s.every = camera.Interval(m.FPS)
	}
	return s
}

// drives makes the stills those of the program.
func (s *stills) drives(g *subprocess.Program) {
	g.Drive = s.drive
	g.At = func(first time.Time) time.Time {
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

func (s *stills) drive(ctx context.Context, p *subprocess.Process) {
	if !p.AwaitReady(ctx) || !camera.Sleep(ctx, s.settle) {
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
		if !camera.Sleep(ctx, s.lag) {
			return
		}
		select {
		case <-s.arrived: // one without a request
		default:
		}
		s.asked.Store(time.Now().UnixNano())
		p.TakePicture()
		select {
		case <-ctx.Done():
			return
		case <-s.arrived:
		}
	}
}
