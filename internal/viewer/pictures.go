package viewer

import (
	"context"
	"slices"
	"time"

	"camqtt/internal/wire"
)

// Picture is one JPEG with what is known of it.
type Picture struct {
	JPEG []byte
	At   time.Time // when it was taken, by our clock
	Meta wire.Meta // of snapshots only; its times are the camera's
}

// Ask is what a snapshot may ask for; zero values leave it to the camera.
type Ask struct {
	MaxAge  time.Duration
	Size    wire.Size
	Quality int
}

// Snap asks a camera for one deliberate picture and returns it. The error is a
// [*Refused] when the camera said no, and wraps [ErrNoAnswer] when it said nothing before
// ctx was done, or jpeg.ErrHuge when what came claims a size that cannot be shown.
//
// It takes a round trip and the exposure. The picture is taken from the topic frame,
// which unlike snapshot does not begin with an older picture that the broker keeps;
// snapshot has it where frame did not bring it.
func (v *Viewer) Snap(ctx context.Context, id wire.ID, a Ask) (Picture, error) {
	first := wire.KindFrame
	if c, known := v.Camera(id); known && c.State.Streaming {
		first = wire.KindSnapshot // of all live pictures only one would be used
	}
	return v.questions.take(ctx, id, v.questions.picture(wire.Snap, a), []wire.Kind{wire.KindResult, wire.KindMeta, first})
}

// Still asks a camera for one picture that is not a snapshot: nothing is kept of it but the
// preview, and there is no event. A camera that does not know this command is asked for
// a snapshot. Its errors are those of [Viewer.Snap].
func (v *Viewer) Still(ctx context.Context, id wire.ID, a Ask) (Picture, error) {
	c, known := v.Camera(id)
	if !known || !slices.Contains(c.Info.Caps, wire.CapStill) {
		return v.Snap(ctx, id, a)
	}
	return v.questions.take(ctx, id, v.questions.picture(wire.Still, a), []wire.Kind{wire.KindResult, wire.KindPreview})
}

func (s *questions) picture(verb wire.Verb, a Ask) wire.Command {
	return wire.Command{Verb: verb, ID: s.next(), MaxAge: a.MaxAge, Size: a.Size, Quality: a.Quality}
}

// Kept returns the newest picture of a camera's preview that the broker keeps or has
// brought. It asks the camera for nothing. false: there is none.
//
// The topic stays subscribed for a while, so asking again is answered at once.
func (v *Viewer) Kept(ctx context.Context, id wire.ID) (Picture, bool, error) {
	came := make(chan struct{}, 1)
	name := v.opts.Base.Topic(id, wire.KindPreview)
	refused, leave, err := v.questions.topics.join(ctx, &listener{hear: func(wire.Kind, wire.Message) {
		select {
		case came <- struct{}{}:
		default:
		}
	}}, v.questions.topicsOf(id, wire.KindPreview))
	if err != nil {
		return Picture{}, false, err
	}
	defer leave()
	late := time.NewTimer(retainedTime)
	defer late.Stop()
	answered := v.questions.topics.answered(name)
	for {
		if jpg, known := v.questions.topics.newest(name); known {
			return v.directory.picture(id, jpg), len(jpg) > 0, nil
		}
		select {
		case <-came:
		case <-answered: // what the broker keeps follows its answer
			answered = nil
			late.Reset(retainedTime)
		case err := <-refused:
			return Picture{}, false, err
		case <-late.C:
			if answered == nil {
				return Picture{}, false, nil
			}
		case <-ctx.Done():
			return Picture{}, false, context.Cause(ctx)
		}
	}
}

// Watch holds a lease on a camera and hands over its newest picture, one at a
// time, until ctx is done (then it returns nil) or the camera refuses before
// any picture has come. While show runs, newer pictures replace one another.
func (v *Viewer) Watch(ctx context.Context, id wire.ID, want Live, show func(Picture) error) error {
	w := &watch{
		viewer: v, id: id, box: make(chan []byte, 1), refused: make(chan wire.Result, 1), kept: make(chan struct{}),
		start: wire.Command{
			Verb: wire.Start, Viewer: v.questions.next(), FPS: want.FPS, Size: want.Size, Quality: want.Quality, For: v.opts.Lease,
		},
	}
	w.start.ID = w.start.Viewer
	q, err := v.questions.question(ctx, id, []wire.Kind{wire.KindFrame, wire.KindResult}, w.hear)
	if err != nil {
		return err
	}
	defer q.end()
	// The lease ends with ctx, also while show is stuck.
	ended := make(chan struct{})
	ending := context.AfterFunc(ctx, func() { defer close(ended); w.end() })
	defer func() {
		if ending() {
			w.end()
			return
		}
		<-ended
	}()
	w.failed = q.failed
	return w.run(ctx, show)
}

// WithSnapTime returns a context whose time is over after d, or later for a camera that
// says that it needs more time, also when it says so after the call.
func (v *Viewer) WithSnapTime(ctx context.Context, id wire.ID, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	began := time.Now()
	var timer *time.Timer
	timer = time.AfterFunc(longestSnapTime, func() {
		c, _ := v.Camera(id)
		if more := c.SnapTime(d) - time.Since(began); more > 0 {
			timer.Reset(more)
			return
		}
		cancel(context.DeadlineExceeded)
	})
	timer.Reset(d)
	return ctx, func() {
		timer.Stop()
		cancel(nil)
	}
}
