package viewer

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"log/slog"
	"sync"
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
	// TellClocks tells a camera whose clock differs from this machine's, for its
	// state.warning. It is for the dashboard: the clock of a command's machine is no measure.
	TellClocks bool
}

// Viewer watches cameras. Make one with [New].
type Viewer struct {
	opts      Options
	directory *directory
	questions *questions

	mu     sync.Mutex
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
	q := &questions{base: o.Base, link: o.Link, log: o.Log, token: "v-" + randomHex(4), topics: newSubscriptions(o.Link)}
	if o.CommandQoS >= 0 {
		q.qos = 1
	}
	q.directory = newDirectory(o.Camera, o.Log, q.hello)
	if o.TellClocks {
		q.directory.tell = q.timedHello
	}
	return &Viewer{opts: o, directory: q.directory, questions: q, relink: make(chan struct{})}, nil
}

func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: crypto/rand
	return hex.EncodeToString(b)
}

// ClientID returns a name to connect under that no other client has.
func (v *Viewer) ClientID() string { return "camqtt-" + v.questions.token }

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
	v.relink = relink
	v.mu.Unlock()
	v.directory.connected()
	v.questions.topics.forget()
	if v.opts.Camera != "" {
		return
	}
	time.AfterFunc(retainedTime, func() {
		if !v.directory.told() && v.relinked() == relink {
			v.questions.give(context.Background(), v.opts.Base.AllCmd(), wire.Command{Verb: wire.Hello})
		}
	})
}

// relinked returns a channel that is closed when the link has come up again.
func (v *Viewer) relinked() chan struct{} {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.relink
}

// Cameras returns every camera known, in the order of their ids.
func (v *Viewer) Cameras() []Camera { return v.directory.all() }

// Camera returns one camera, if it is known.
func (v *Viewer) Camera(id wire.ID) (Camera, bool) { return v.directory.camera(id) }

// Do gives a command and returns its result; a result that is not ok is a
// [*Refused]. A start is answered with the first picture.
func (v *Viewer) Do(ctx context.Context, id wire.ID, c wire.Command) (wire.Result, error) {
	c.ID = v.questions.next()
	return v.questions.ask(ctx, id, v.questions.command(v.opts.Base.Topic(id, wire.KindCmd), c), func(r wire.Result) bool { return r.ID == c.ID })
}

// Set changes settings and returns the result.
func (v *Viewer) Set(ctx context.Context, id wire.ID, values map[string]string) (wire.Result, error) {
	token := v.questions.next()
	object := map[string]string{"id": token}
	for k, val := range values {
		object[k] = val
	}
	payload, err := wire.JSON(object)
	if err != nil {
		return wire.Result{}, err
	}
	m := wire.Message{Topic: v.opts.Base.Topic(id, wire.KindSet), Payload: payload, QoS: v.questions.qos}
	return v.questions.ask(ctx, id, m, func(r wire.Result) bool { return r.ID == token })
}

// Receive takes one message from the link. It never blocks.
func (v *Viewer) Receive(m wire.Message) {
	id, kind, ok := v.opts.Base.Split(m.Topic)
	if !ok {
		return
	}
	v.directory.learn(id, kind, m)
	for _, e := range v.questions.topics.receivers(kind, m) {
		e.hear(kind, m)
	}
}
