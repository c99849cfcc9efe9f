package push

import (
	"context"
	"strings"
	"sync"

	"camqtt/internal/redact"
	"camqtt/node/camera"
	"camqtt/node/camera/sourceurl"
)

// Inbox is where pictures are put that a board sends by itself. The source that is
// opened with it emits them while it streams. Make one with [NewInbox].
type Inbox struct {
	turn chan struct{} // one picture at a time, so that none replaces another

	mu    sync.Mutex
	emit  func(camera.Frame) // nil while the source does not stream
	ended chan struct{}      // closed when that stream ends
}

// NewInbox makes an Inbox.
func NewInbox() *Inbox { return &Inbox{turn: make(chan struct{}, 1)} }

// Deliver hands over a picture, which is the receiver's from then on, and waits
// until the receiver has decided about it. Nil means that the picture is kept, or
// on its way to the broker. Else the error wraps ErrClosed, ErrBusy (also when ctx
// is done), ErrTooLarge or ErrDamaged.
func (b *Inbox) Deliver(ctx context.Context, f camera.Frame) error {
	select {
	case b.turn <- struct{}{}:
		defer func() { <-b.turn }()
	case <-ctx.Done():
		return camera.ErrBusy
	}
	outcome := make(chan error, 1)
	f.Taken = func(err error) {
		select {
		case outcome <- err:
		default: // reported before
		}
	}
	b.mu.Lock()
	emit, ended := b.emit, b.ended
	if emit != nil {
		emit(f)
	}
	b.mu.Unlock()
	if emit == nil {
		return camera.ErrClosed
	}
	select {
	case err := <-outcome:
		return err
	case <-ctx.Done():
	case <-ended:
	}
	select {
	case err := <-outcome:
		return err
	case <-ended:
		return camera.ErrClosed
	default:
		return camera.ErrBusy
	}
}

// Receive has pictures emitted until ctx is done.
func (b *Inbox) Receive(ctx context.Context, emit func(camera.Frame)) {
	ended := make(chan struct{})
	b.mu.Lock()
	b.emit, b.ended = emit, ended
	b.mu.Unlock()
	<-ctx.Done()
	b.mu.Lock()
	b.emit = nil
	b.mu.Unlock()
	close(ended)
}

// pushed is a source that shows what a board sends by itself:
// "push:?every=10m&publish=always".
type pushed struct {
	inbox camera.PictureFeed
	mode  camera.PushMode
}

// Kind is the row of the table of kinds.
func Kind() camera.Kind {
	return camera.Kind{
		Scheme: "push", Form: "push",
		Summary: "a board that sends its pictures",
		Bare:    true, Options: camera.PushOptions(), Separator: "?", Timeout: camera.PushFirst,
		Check: camera.CheckFull, Open: openPush,
	}
}

func openPush(rest string, o camera.Options) (camera.Source, error) {
	where, query, _ := strings.Cut(rest, "?")
	if where != "" {
		return nil, camera.ConfigError("source push: %q: nothing stands there: who may send is said by push_token and push_from", redact.Line(where))
	}
	p := &pushed{inbox: o.Inbox}
	if err := sourceurl.EachOption(query, func(x sourceurl.Option) (string, error) {
		return x.Key, p.mode.Set(x.Key, x.Value)
	}); err != nil {
		return nil, camera.ConfigError("source push: %v", err)
	}
	return p, nil
}

// Profile says that the board sends when it likes and obeys nothing.
func (p *pushed) Profile() camera.Profile { return p.mode.Profile("push", "board") }

// Stream shows the pictures that come until ctx is done.
func (p *pushed) Stream(ctx context.Context, m camera.Mode, emit func(camera.Frame)) error {
	if err := m.Check(); err != nil {
		return err
	}
	if p.inbox == nil {
		return camera.ConfigError("source push: nothing takes pictures in: want a push section, such as push.listen")
	}
	p.inbox.Receive(ctx, emit)
	return nil
}
