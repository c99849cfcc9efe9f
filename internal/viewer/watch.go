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
			return // showing it takes too much memory
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
			if err := show(w.viewer.directory.picture(w.id, jpg)); err != nil {
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
	relink := w.viewer.relinked()
	w.give(ctx, w.start)
	return relink
}

// end gives the lease back, so that the camera need not wait for it to run out. No renewal
// follows.
func (w *watch) end() {
	<-w.kept
	ctx, cancel := context.WithTimeoutCause(context.Background(), time.Second, errors.New("the broker took too long"))
	defer cancel()
	w.give(ctx, wire.Command{Verb: wire.Stop, Viewer: w.start.Viewer})
}

func (w *watch) give(ctx context.Context, c wire.Command) {
	q := w.viewer.questions
	q.give(ctx, q.base.Topic(w.id, wire.KindCmd), c)
}
