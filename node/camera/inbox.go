package camera

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Why a picture that a board sent is not taken. An error that wraps one of them
// may say more.
var (
	ErrClosed   = errors.New("pictures are not taken now: privacy is on, or the camera's node is not running or starts anew")
	ErrBusy     = errors.New("pictures come faster than they can be sent on")
	ErrTooLarge = errors.New("the picture is too large")
	ErrDamaged  = errors.New("the picture is damaged")
)

// Inbox is where pictures are put that a board sends by itself. The source that is
// opened with it emits them while it streams. Make one with [NewInbox].
type Inbox struct {
	turn chan struct{} // one picture at a time, so that none replaces another

	mu    sync.Mutex
	emit  func(Frame)   // nil while the source does not stream
	ended chan struct{} // closed when that stream ends
}

// NewInbox makes an Inbox.
func NewInbox() *Inbox { return &Inbox{turn: make(chan struct{}, 1)} }

// Deliver hands over a picture, which is the receiver's from then on, and waits
// until the receiver has decided about it. Nil means that the picture is kept, or
// on its way to the broker. Else the error wraps ErrClosed, ErrBusy (also when ctx
// is done), ErrTooLarge or ErrDamaged.
func (b *Inbox) Deliver(ctx context.Context, f Frame) error {
	select {
	case b.turn <- struct{}{}:
		defer func() { <-b.turn }()
	case <-ctx.Done():
		return ErrBusy
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
		return ErrClosed
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
		return ErrClosed
	default:
		return ErrBusy
	}
}

// open has pictures emitted until ctx is done.
func (b *Inbox) open(ctx context.Context, emit func(Frame)) {
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
	inbox  *Inbox
	every  time.Duration
	always bool
}

func openPush(rest string, o Options) (Source, error) {
	where, query, _ := strings.Cut(rest, "?")
	if where != "" {
		return nil, configError("source push: %q: nothing stands there: who may send is said by push_token and push_from", clean(where))
	}
	p := &pushed{inbox: o.Inbox}
	if err := eachOption(query, p.option); err != nil {
		return nil, configError("source push: %v", err)
	}
	return p, nil
}

// option takes one option; it returns its key.
func (p *pushed) option(x option) (string, error) {
	switch x.key {
	case "every":
		var err error
		if p.every, err = time.ParseDuration(x.value); err != nil || p.every < time.Second || p.every > pushMost {
			return x.key, fmt.Errorf("every %q: want 1s to 24h, such as 10m", clean(x.value))
		}
	case "publish":
		if !slices.Contains([]string{"asked", "always"}, x.value) {
			return x.key, fmt.Errorf("publish %q: want asked or always", clean(x.value))
		}
		p.always = x.value == "always"
	default:
		return x.key, fmt.Errorf("unknown key %q: want every or publish", clean(x.key))
	}
	return x.key, nil
}

// Profile says that the board sends when it likes and obeys nothing.
func (p *pushed) Profile() Profile {
	first := pushFirst
	if p.every > 0 {
		first = max(p.every+p.every/2, pushLeast)
	}
	return Profile{
		Kind: "push", Model: "board", Instant: true, FirstFrame: first,
		Unasked: true, Every: p.every, Deliberate: p.always,
	}
}

// Stream shows the pictures that come until ctx is done.
func (p *pushed) Stream(ctx context.Context, m Mode, emit func(Frame)) error {
	if err := m.check(); err != nil {
		return err
	}
	if p.inbox == nil {
		return configError("source push: nothing takes pictures in: want a push section, such as push.listen")
	}
	p.inbox.open(ctx, emit)
	return nil
}
