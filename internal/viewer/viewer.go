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

	"camqtt/internal/mqttclient"
	"camqtt/internal/wire"
)

// Link is what a viewer needs of its connection.
type Link interface {
	// Publish sends messages and returns when those of QoS 1 are acknowledged.
	Publish(ctx context.Context, msgs ...wire.Message) error
	// Subscribe returns when a SUBSCRIBE is on its way; the channel brings one answer.
	Subscribe(ctx context.Context, subs ...mqttclient.Subscription) <-chan error
	Unsubscribe(filters ...string)
}

// Options says what a viewer is made of. Link and Log are needed; the link's
// Receive, Up and Down must call the viewer's methods of the same meaning, and
// its subscriptions include [Viewer.Subscriptions].
type Options struct {
	Base wire.Base
	Link Link
	Log  *slog.Logger
	// Camera is the only one that is asked for; "" is all of them.
	Camera wire.ID
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

	topics *subscriptions

	mu       sync.Mutex
	only     wire.ID // the camera that is learned of; "" is all
	cams     map[wire.ID]*Camera
	asked    map[wire.ID]time.Time // when hello was last sent to cameras that are not known
	retained bool                  // the broker has told of a camera since the link is up
	relink   chan struct{}         // closed when the link has come up again
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
		opts: o, only: o.Camera, token: "v-" + randomHex(4), topics: newSubscriptions(o.Link),
		cams: map[wire.ID]*Camera{}, asked: map[wire.ID]time.Time{}, relink: make(chan struct{}),
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
// to know the cameras. A viewer of one camera sees only that.
func (v *Viewer) Subscriptions() []mqttclient.Subscription {
	var subs []mqttclient.Subscription
	for _, k := range []wire.Kind{wire.KindStatus, wire.KindInfo, wire.KindState, wire.KindStats} {
		filter := v.opts.Base.Every(k)
		if v.opts.Camera != "" {
			filter = v.opts.Base.Topic(v.opts.Camera, k)
		}
		subs = append(subs, mqttclient.Subscription{Filter: filter, QoS: wire.ChannelOf(k).QoS, Optional: k != wire.KindStatus})
	}
	return subs
}

// retainedTime is how long a broker has to tell of the cameras that it knows.
const retainedTime = 300 * time.Millisecond

// LinkUp renews all leases. Where the broker tells of no camera, for not every broker
// keeps retained messages for wildcards, all cameras are asked to say what they are. A
// viewer of one camera asks that one alone, in [Viewer.Find].
func (v *Viewer) LinkUp() {
	v.mu.Lock()
	close(v.relink)
	relink := make(chan struct{})
	v.relink, v.retained = relink, false
	v.mu.Unlock()
	v.topics.forget()
	if v.opts.Camera != "" {
		return
	}
	time.AfterFunc(retainedTime, func() {
		v.mu.Lock()
		told := v.retained || v.relink != relink
		v.mu.Unlock()
		if !told {
			v.hello(v.opts.Base.AllCmd())
		}
	})
}

// hello asks cameras to say what they are. It returns when the message has left, or after
// the link's own time limit.
func (v *Viewer) hello(topic string) {
	if err := v.opts.Link.Publish(context.Background(), v.command(topic, wire.Command{Verb: wire.Hello})); err != nil {
		v.opts.Log.Debug("hello not sent", "topic", topic, "err", err)
	}
}

// helloEvery is how often a camera is asked what it is that does not say so.
const helloEvery = 30 * time.Second

// meet asks a camera what it is of which something was heard, and that has not said so.
// v.mu is held.
func (v *Viewer) meet(id wire.ID) {
	now := time.Now()
	if now.Sub(v.asked[id]) < helloEvery || len(v.asked) >= maxCameras {
		return
	}
	v.asked[id] = now
	go v.hello(v.opts.Base.Topic(id, wire.KindCmd)) // ends with the message, or the link's time limit
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
	v.mu.Unlock()
	for _, e := range v.topics.receivers(kind, m) {
		e.hear(kind, m)
	}
}
