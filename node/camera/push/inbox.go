package push

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

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

const (
	// What a snap waits for a board of which nobody knows how often it sends.
	pushFirst = time.Minute
	// The shortest such wait: boards are not on time.
	pushLeast = 15 * time.Second
	pushMost  = 24 * time.Hour
)

// pushed is a source that shows what a board sends by itself:
// "push:?every=10m&publish=always".
type pushed struct {
	inbox  camera.PictureFeed
	every  time.Duration
	always bool
}

// pushKind is the row of the table of kinds.
func Kind() camera.Kind {
	return camera.Kind{
		Scheme: "push", Form: "push",
		Summary: "a board that sends its pictures",
		Bare:    true, Options: []string{"every", "publish"}, Separator: "?", Timeout: pushFirst,
		Check: camera.CheckFull, Open: openPush,
	}
}

func openPush(rest string, o camera.Options) (camera.Source, error) {
	where, query, _ := strings.Cut(rest, "?")
	if where != "" {
		return nil, camera.ConfigError("source push: %q: nothing stands there: who may send is said by push_token and push_from", redact.Line(where))
	}
	p := &pushed{inbox: o.Inbox}
	if err := sourceurl.EachOption(query, p.option); err != nil {
		return nil, camera.ConfigError("source push: %v", err)
	}
	return p, nil
}

// option takes one option; it returns its key.
func (p *pushed) option(x sourceurl.Option) (string, error) {
	switch x.Key {
	case "every":
		var err error
		if p.every, err = time.ParseDuration(x.Value); err != nil || p.every < time.Second || p.every > pushMost {
			return x.Key, fmt.Errorf("every %q: want 1s to 24h, such as 10m", redact.Line(x.Value))
		}
	case "publish":
		if !slices.Contains([]string{"asked", "always"}, x.Value) {
			return x.Key, fmt.Errorf("publish %q: want asked or always", redact.Line(x.Value))
		}
		p.always = x.Value == "always"
	default:
		return x.Key, fmt.Errorf("unknown key %q: want every or publish", redact.Line(x.Key))
	}
	return x.Key, nil
}

// Profile says that the board sends when it likes and obeys nothing.
func (p *pushed) Profile() camera.Profile {
	first := pushFirst
	if p.every > 0 {
		first = max(p.every+p.every/2, pushLeast)
	}
	return camera.Profile{
		Kind: "push", Model: "board", Instant: true, FirstFrame: first,
		Unasked: true, Every: p.every, Deliberate: p.always,
	}
}

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
