package viewer

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"camqtt/internal/link"
	"camqtt/internal/wire"
)

// Link is what a viewer needs of its connection.
type Link interface {
	Publish(ctx context.Context, msgs ...wire.Message) error
	Subscribe(ctx context.Context, subs ...link.Subscription) error
	Unsubscribe(ctx context.Context, filters ...string) error
}

// Options says what a viewer is made of. Link and Log are needed; the link's
// Receive, Up and Down must call the viewer's methods of the same meaning, and
// its subscriptions include [Viewer.Subscriptions].
type Options struct {
	Base wire.Base
	Link Link
	Log  *slog.Logger
	// Lease is how long a lease lasts without renewal; 0 is 15 s. It is renewed
	// three times as often.
	Lease time.Duration
	// CommandQoS is the QoS of commands: 0 is 1; negative is QoS 0, for brokers
	// where QoS 1 is dear.
	CommandQoS int
}

// Viewer watches cameras. Make one with [New].
type Viewer struct {
	opts  Options
	token string // begins every lease and command id of this viewer
	count atomic.Uint64

	mu     sync.Mutex
	topics map[string]*topic
	cams   map[wire.ID]*Camera
	relink chan struct{} // closed when the link has come up again
}

// New returns a viewer that knows no camera yet.
func New(o Options) (*Viewer, error) {
	if o.Link == nil || o.Log == nil {
		return nil, errors.New("viewer: Link and Log are needed")
	}
	if o.Lease == 0 {
		o.Lease = 15 * time.Second
	}
	return &Viewer{
		opts: o, token: "v-" + randomHex(4), topics: map[string]*topic{},
		cams: map[wire.ID]*Camera{}, relink: make(chan struct{}),
	}, nil
}

func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: crypto/rand
	return hex.EncodeToString(b)
}

// ClientID returns a name to connect under that nobody else has.
func (v *Viewer) ClientID() string { return "camqtt-" + v.token }

// next makes a token that is used once.
func (v *Viewer) next() string { return v.token + "-" + strconv.FormatUint(v.count.Add(1), 10) }

func (v *Viewer) commandQoS() byte {
	if v.opts.CommandQoS < 0 {
		return 0
	}
	return 1
}

// Subscriptions returns what the viewer must always be subscribed to in order
// to know the cameras.
func (v *Viewer) Subscriptions() []link.Subscription {
	var subs []link.Subscription
	for _, k := range []wire.Kind{wire.KindStatus, wire.KindInfo, wire.KindState, wire.KindStats} {
		subs = append(subs, link.Subscription{Filter: v.opts.Base.Every(k), QoS: wire.ChannelOf(k).QoS})
	}
	return subs
}

// LinkUp asks every camera to say what it is, because not every broker keeps
// retained messages for wildcards, and renews all leases.
func (v *Viewer) LinkUp() {
	v.mu.Lock()
	close(v.relink)
	v.relink = make(chan struct{})
	v.mu.Unlock()
	go func() { // ends when the message has left, or the link's own time limit
		err := v.opts.Link.Publish(context.Background(), v.command(v.opts.Base.AllCmd(), wire.Command{Verb: wire.Hello}))
		if err != nil {
			v.opts.Log.Debug("hello not sent", "err", err)
		}
	}()
}

func (v *Viewer) command(topic string, c wire.Command) wire.Message {
	return wire.Message{Topic: topic, Payload: []byte(c.Words()), QoS: v.commandQoS()}
}

// Receive takes one message from the link. It never blocks.
func (v *Viewer) Receive(m wire.Message) {
	id, kind, ok := v.opts.Base.Split(m.Topic)
	if !ok {
		return
	}
	v.mu.Lock()
	v.learn(id, kind, m)
	var ears []*ear
	if t := v.topics[m.Topic]; t != nil {
		for e := range t.ears {
			ears = append(ears, e)
		}
	}
	v.mu.Unlock()
	for _, e := range ears {
		e.hear(kind, m)
	}
}
