package dashboard

import (
	"context"
	"sync"

	"camqtt/internal/viewer"
	"camqtt/internal/wire"
)

// flightKey is what makes two requests the same.
type flightKey struct {
	id  wire.ID
	ask viewer.Ask
}

// flights are the captures under way.
type flights struct {
	wg  *sync.WaitGroup // counts them
	mu  sync.Mutex
	all map[flightKey]*flight
}

// flight is one capture and those who wait for it.
type flight struct {
	done    chan struct{} // closed when picture and err are set
	picture viewer.Picture
	err     error
	waiting int // guarded by flights.mu
	cancel  context.CancelFunc
}

// join returns the picture of the capture under way, or of a new one. The capture
// goes on as long as anybody waits for it.
func (fs *flights) join(ctx context.Context, k flightKey, take func(context.Context, flightKey) (viewer.Picture, error)) (viewer.Picture, error) {
	fs.mu.Lock()
	f := fs.all[k]
	if f == nil {
		f = fs.begin(ctx, k, take)
	}
	f.waiting++
	fs.mu.Unlock()
	defer fs.leave(k, f)
	select {
	case <-f.done:
		return f.picture, f.err
	case <-ctx.Done():
		return viewer.Picture{}, ctx.Err()
	}
}

// begin starts a capture. The caller holds mu.
func (fs *flights) begin(ctx context.Context, k flightKey, take func(context.Context, flightKey) (viewer.Picture, error)) *flight {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), maxSnapTime)
	f := &flight{done: make(chan struct{}), cancel: cancel}
	fs.all[k] = f
	fs.wg.Go(func() { // ends with the capture, at the latest when the last who waits has left
		defer cancel()
		f.picture, f.err = take(ctx, k)
		fs.mu.Lock()
		fs.forget(k, f)
		fs.mu.Unlock()
		close(f.done)
	})
	return f
}

func (fs *flights) leave(k flightKey, f *flight) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if f.waiting--; f.waiting == 0 {
		f.cancel()
		fs.forget(k, f)
	}
}

// forget makes the next request begin a new capture. The caller holds mu.
func (fs *flights) forget(k flightKey, f *flight) {
	if fs.all[k] == f {
		delete(fs.all, k)
	}
}
