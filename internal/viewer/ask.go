package viewer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

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
	stop, err := v.listen(ctx, id, func(_ wire.Kind, m wire.Message) {
		if r, ok := result(m); ok && meant(r) {
			select {
			case results <- r:
			default:
			}
		}
	}, wire.KindResult)
	if err != nil {
		return wire.Result{}, err
	}
	defer stop()
	if err := v.opts.Link.Publish(ctx, m); err != nil {
		return wire.Result{}, err
	}
	select {
	case r := <-results:
		if !r.OK {
			return r, &Refused{r}
		}
		return r, nil
	case <-ctx.Done():
		return wire.Result{}, v.noAnswer(ctx, id)
	}
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
