package viewer

import (
	"context"
	"errors"
	"time"

	"camqtt/internal/jpeg"
	"camqtt/internal/wire"
)

// Live is what a lease may ask for; zero values leave it to the camera.
type Live struct {
	FPS     float64
	Size    wire.Size
	Quality int
}

// Watch holds a lease on a camera and hands over its newest picture, one at a
// time, until ctx is done (then it returns nil) or the camera refuses before
// any picture has come. While show runs, newer pictures replace one another.
func (v *Viewer) Watch(ctx context.Context, id wire.ID, want Live, show func(Picture) error) error {
	w := &watch{
		viewer: v, id: id, box: make(chan []byte, 1), refused: make(chan wire.Result, 1), kept: make(chan struct{}),
		start: wire.Command{
			Verb: wire.Start, Viewer: v.next(), FPS: want.FPS, Size: want.Size, Quality: want.Quality, For: v.opts.Lease,
		},
	}
	w.start.ID = w.start.Viewer
	q, err := v.question(ctx, id, []wire.Kind{wire.KindFrame, wire.KindResult}, w.hear)
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

type watch struct {
	viewer  *Viewer
	id      wire.ID
	start   wire.Command
	box     chan []byte // newest picture wins
	refused chan wire.Result
	failed  <-chan error
	kept    chan struct{} // closed when the lease is not renewed any more
}

// hear is called by one goroutine, the link's.
func (w *watch) hear(kind wire.Kind, m wire.Message) {
	if kind == wire.KindFrame {
		if jpeg.CheckSize(m.Payload) != nil {
			return // who shows it would run out of memory
		}
		select {
		case <-w.box:
		default:
		}
		w.box <- m.Payload
		return
	}
	if r, ok := result(m); ok && !r.OK && r.ID == w.start.ID {
		select {
		case w.refused <- r:
		default:
		}
	}
}

func (w *watch) run(ctx context.Context, show func(Picture) error) error {
	ctx, cancel := context.WithCancel(ctx)
	go func() { // ends with ctx
		defer close(w.kept)
		w.keep(ctx)
	}()
	defer cancel()
	seen := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case jpg := <-w.box:
			seen = true
			if err := show(w.viewer.live(w.id, jpg)); err != nil {
				return err
			}
		case err := <-w.failed:
			return err
		case r := <-w.refused:
			if !seen { // later troubles pass: the lease is renewed all the same
				return &Refused{r}
			}
		}
	}
}

// keep takes the lease and renews it until ctx is done. It does so beside the
// pictures: on a slow line an acknowledgement comes behind several of them.
func (w *watch) keep(ctx context.Context) {
	renew := time.NewTicker(w.viewer.opts.Lease / 3)
	defer renew.Stop()
	for {
		relink := w.renew(ctx)
		select {
		case <-ctx.Done():
			return
		case <-renew.C:
		case <-relink:
		}
	}
}

// renew takes the lease and returns a channel that closes when the link has
// come up anew, which is when the broker may have lost sight of it.
func (w *watch) renew(ctx context.Context) <-chan struct{} {
	v := w.viewer
	v.mu.Lock()
	relink := v.relink
	v.mu.Unlock()
	if err := v.opts.Link.Publish(ctx, v.command(v.opts.Base.Topic(w.id, wire.KindCmd), w.start)); err != nil {
		v.opts.Log.Debug("lease not renewed", "id", string(w.id), "err", err)
	}
	return relink
}

// end gives the lease back, so that the camera need not wait for it to run out. No renewal
// follows.
func (w *watch) end() {
	<-w.kept
	ctx, cancel := context.WithTimeoutCause(context.Background(), time.Second, errors.New("the broker took too long"))
	defer cancel()
	v := w.viewer
	c := wire.Command{Verb: wire.Stop, Viewer: w.start.Viewer}
	if err := v.opts.Link.Publish(ctx, v.command(v.opts.Base.Topic(w.id, wire.KindCmd), c)); err != nil {
		v.opts.Log.Debug("lease not returned", "id", string(w.id), "err", err)
	}
}
