package camera

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Inbox is where pictures are put that a board sends by itself. The source that
// is opened with it shows them while it streams. The zero Inbox is ready.
type Inbox struct {
	mu   sync.Mutex
	emit func(Frame) // nil while nobody streams
}

// Deliver hands over a picture, which is the receiver's from then on. It never
// blocks; false means that nobody takes pictures now.
func (b *Inbox) Deliver(f Frame) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.emit == nil {
		return false
	}
	b.emit(f)
	return true
}

func (b *Inbox) open(emit func(Frame)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.emit = emit
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
	p.inbox.open(emit)
	<-ctx.Done()
	p.inbox.open(nil)
	return nil
}
