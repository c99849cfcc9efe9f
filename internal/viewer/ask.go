package viewer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"camqtt/internal/mqttclient"
	"camqtt/internal/wire"
)

// Refused is the error of a command that the camera answered, but not with ok.
type Refused struct{ Result wire.Result }

// Error is the camera's own text.
func (r *Refused) Error() string {
	if r.Result.Text == "" {
		return string(r.Result.Code)
	}
	return fmt.Sprintf("%s: %s", r.Result.Code, r.Result.Text)
}

// ErrNoAnswer means that the camera did not answer in time.
var ErrNoAnswer = errors.New("no answer")

// Do gives a command and returns its result; a result that is not ok is a
// [*Refused]. A start is answered with the first picture.
func (v *Viewer) Do(ctx context.Context, id wire.ID, c wire.Command) (wire.Result, error) {
	c.ID = v.next()
	return v.ask(ctx, id, v.command(v.opts.Base.Topic(id, wire.KindCmd), c), func(r wire.Result) bool { return r.ID == c.ID })
}

// Set changes settings and returns the result.
func (v *Viewer) Set(ctx context.Context, id wire.ID, values map[string]string) (wire.Result, error) {
	token := v.next()
	object := map[string]string{"id": token}
	for k, val := range values {
		object[k] = val
	}
	payload, err := wire.JSON(object)
	if err != nil {
		return wire.Result{}, err
	}
	m := wire.Message{Topic: v.opts.Base.Topic(id, wire.KindSet), Payload: payload, QoS: v.commandQoS()}
	return v.ask(ctx, id, m, func(r wire.Result) bool { return r.ID == token })
}

// ask publishes m and waits for the result that is meant.
func (v *Viewer) ask(ctx context.Context, id wire.ID, m wire.Message, meant func(wire.Result) bool) (wire.Result, error) {
	results := make(chan wire.Result, 1)
	q, err := v.question(ctx, id, []wire.Kind{wire.KindResult}, func(_ wire.Kind, m wire.Message) {
		if r, ok := result(m); ok && meant(r) {
			select {
			case results <- r:
			default:
			}
		}
	})
	if err != nil {
		return wire.Result{}, err
	}
	defer q.end()
	q.send(ctx, m)
	select {
	case r := <-results:
		q.heard(r)
		if !r.OK {
			return r, &Refused{r}
		}
		return r, nil
	case err := <-q.failed:
		return wire.Result{}, err
	case <-ctx.Done():
		return wire.Result{}, v.noAnswer(ctx, id)
	}
}

// question is a message to a camera and the topics of its answer. The subscriptions that
// it needs and the message go out one behind the other: all takes one round trip.
type question struct {
	v      *Viewer
	id     wire.ID
	end    func()     // leaves the topics
	failed chan error // one error of the broker: the question is of no use
	asked  time.Time
}

// question has hear called with what a camera says of some kinds, until end.
func (v *Viewer) question(ctx context.Context, id wire.ID, kinds []wire.Kind, hear func(wire.Kind, wire.Message)) (*question, error) {
	refused, leave, err := v.topics.join(ctx, &listener{hear}, v.topicsOf(id, kinds...))
	if err != nil {
		return nil, err
	}
	over := make(chan struct{})
	q := &question{v: v, id: id, failed: make(chan error, 1), end: func() { close(over); leave() }}
	go func() { // ends with the question
		select {
		case err := <-refused:
			q.fail(err)
		case <-over:
		}
	}()
	return q, nil
}

func (q *question) fail(err error) {
	select {
	case q.failed <- err:
	default:
	}
}

// send publishes, and does not wait for the acknowledgement: it is the answer that counts.
func (q *question) send(ctx context.Context, m wire.Message) {
	q.asked = time.Now()
	go func() { // ends with the acknowledgement, or with ctx
		if err := q.v.opts.Link.Publish(ctx, m); err != nil && ctx.Err() == nil {
			q.fail(err)
		}
	}()
}

// heard learns about the camera's clock from the answer.
func (q *question) heard(r wire.Result) {
	if r.TS.IsZero() || r.Late {
		return
	}
	q.v.mu.Lock()
	defer q.v.mu.Unlock()
	c := q.v.cams[q.id]
	if c == nil {
		return
	}
	before := c.Clock.Ahead()
	c.Clock.Answered(q.asked, r.TS.Add(-time.Duration(r.TookMS)*time.Millisecond))
	q.v.tellClock(c, before)
}

// topicsOf are the subscriptions for kinds of one camera.
func (v *Viewer) topicsOf(id wire.ID, kinds ...wire.Kind) (subs []mqttclient.Subscription) {
	for _, k := range kinds {
		subs = append(subs, mqttclient.Subscription{Filter: v.opts.Base.Topic(id, k), QoS: wire.ChannelOf(k).QoS})
	}
	return subs
}

// noAnswer says what is known of a camera that does not answer.
func (v *Viewer) noAnswer(ctx context.Context, id wire.ID) error {
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return context.Cause(ctx)
	}
	c, known := v.Camera(id)
	switch {
	case !known:
		return fmt.Errorf("%w from %s: no camera of this id is on the broker", ErrNoAnswer, id)
	case c.Status != wire.Online:
		return fmt.Errorf("%w from %s: its status is %s", ErrNoAnswer, id, c.Status)
	}
	return fmt.Errorf("%w from %s in time", ErrNoAnswer, id)
}

func result(m wire.Message) (r wire.Result, ok bool) {
	return r, json.Unmarshal(m.Payload, &r) == nil
}
