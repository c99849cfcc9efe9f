package viewer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync/atomic"
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

// questions gives commands to cameras and waits for their answers.
type questions struct {
	base      wire.Base
	link      Link
	log       *slog.Logger
	qos       byte   // of commands
	token     string // begins every lease and command id of this viewer
	count     atomic.Uint64
	topics    *subscriptions
	directory *directory
}

// next makes a token that is used once.
func (s *questions) next() string { return s.token + "-" + strconv.FormatUint(s.count.Add(1), 10) }

func (s *questions) command(topic string, c wire.Command) wire.Message {
	return wire.Message{Topic: topic, Payload: []byte(c.Words()), QoS: s.qos}
}

// give publishes a command that gets no further attention. It returns when the message has
// left, or after the link's own time limit.
func (s *questions) give(ctx context.Context, topic string, c wire.Command) {
	if err := s.link.Publish(ctx, s.command(topic, c)); err != nil {
		s.log.Debug("command not sent", "topic", topic, "cmd", string(c.Verb), "err", err)
	}
}

// hello asks a camera to say what it is.
func (s *questions) hello(id wire.ID) {
	s.give(context.Background(), s.base.Topic(id, wire.KindCmd), wire.Command{Verb: wire.Hello})
}

// timedHello is a hello that has the time, with which the camera compares its clock.
func (s *questions) timedHello(id wire.ID) {
	payload, _ := json.Marshal(map[string]any{"cmd": wire.Hello, "ts": wire.At(time.Now())}) // never fails
	m := s.command(s.base.Topic(id, wire.KindCmd), wire.Command{Verb: wire.Hello})
	m.Payload = payload
	if err := s.link.Publish(context.Background(), m); err != nil {
		s.log.Debug("command not sent", "topic", m.Topic, "cmd", string(wire.Hello), "err", err)
	}
}

// ask publishes m and waits for the result that is meant.
func (s *questions) ask(ctx context.Context, id wire.ID, m wire.Message, meant func(wire.Result) bool) (wire.Result, error) {
	results := make(chan wire.Result, 1)
	q, err := s.question(ctx, id, []wire.Kind{wire.KindResult}, func(_ wire.Kind, m wire.Message) {
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
		s.directory.answered(id, q.asked, r)
		if !r.OK {
			return r, &Refused{r}
		}
		return r, nil
	case err := <-q.failed:
		return wire.Result{}, err
	case <-ctx.Done():
		return wire.Result{}, s.noAnswer(ctx, id)
	}
}

// question is a message to a camera and the topics of its answer. The subscriptions that
// it needs and the message go out one behind the other: all takes one round trip.
type question struct {
	s      *questions
	id     wire.ID
	end    func()     // leaves the topics
	failed chan error // one error of the broker: the question is of no use
	asked  time.Time
}

// question has hear called with what a camera says of some kinds, until end.
func (s *questions) question(ctx context.Context, id wire.ID, kinds []wire.Kind, hear func(wire.Kind, wire.Message)) (*question, error) {
	refused, leave, err := s.topics.join(ctx, &listener{hear}, s.topicsOf(id, kinds...))
	if err != nil {
		return nil, err
	}
	over := make(chan struct{})
	q := &question{s: s, id: id, failed: make(chan error, 1), end: func() { close(over); leave() }}
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
		if err := q.s.link.Publish(ctx, m); err != nil && ctx.Err() == nil {
			q.fail(err)
		}
	}()
}

// topicsOf are the subscriptions for kinds of one camera.
func (s *questions) topicsOf(id wire.ID, kinds ...wire.Kind) (subs []mqttclient.Subscription) {
	for _, k := range kinds {
		subs = append(subs, mqttclient.Subscription{Filter: s.base.Topic(id, k), QoS: wire.ChannelOf(k).QoS})
	}
	return subs
}

// noAnswer says what is known of a camera that does not answer.
func (s *questions) noAnswer(ctx context.Context, id wire.ID) error {
	if !errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
		return context.Cause(ctx)
	}
	c, known := s.directory.camera(id)
	switch {
	case !known:
		return fmt.Errorf("%w from %s: no camera of this id is on the broker", ErrNoAnswer, id)
	case c.Status != wire.Online:
		return fmt.Errorf("%w from %s: its status is %s", ErrNoAnswer, id, c.Status)
	}
	return fmt.Errorf("%w from %s in time", ErrNoAnswer, id)
}

// lateTime is how long a picture may follow the result that names it.
const lateTime = time.Second

// take gives a command whose answer is a picture.
func (s *questions) take(ctx context.Context, id wire.ID, c wire.Command, kinds []wire.Kind) (Picture, error) {
	w := newCapture(c.ID)
	q, err := s.question(ctx, id, kinds, w.hear)
	if err != nil {
		return Picture{}, err
	}
	defer func() { q.end() }()
	q.send(ctx, s.command(s.base.Topic(id, wire.KindCmd), c))
	var missing <-chan time.Time
	answered := w.answered
	for {
		select {
		case <-w.done:
			return s.captured(q, w)
		case <-answered:
			answered, missing = nil, time.After(lateTime)
		case <-missing: // replaced by a newer one on the way, or sent again after a break
			missing = nil
			if c.Verb != wire.Snap || slices.Contains(kinds, wire.KindSnapshot) {
				continue
			}
			kept, err := s.question(ctx, id, []wire.Kind{wire.KindSnapshot}, w.hear)
			if err != nil {
				return Picture{}, err
			}
			defer kept.end()
		case err := <-q.failed:
			return Picture{}, err
		case <-ctx.Done():
			return Picture{}, s.noAnswer(ctx, id)
		}
	}
}

// captured is the picture that has come, or why none did.
func (s *questions) captured(q *question, w *capture) (Picture, error) {
	if w.result.ID != "" {
		s.directory.answered(q.id, q.asked, w.result)
	}
	if w.err != nil {
		return Picture{}, w.err
	}
	p := Picture{JPEG: w.picture, Meta: w.meta}
	p.At = s.directory.takenAt(q.id, p)
	return p, nil
}

func result(m wire.Message) (r wire.Result, ok bool) {
	return r, json.Unmarshal(m.Payload, &r) == nil
}
