package viewer

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"camqtt/internal/mqttclient"
	"camqtt/internal/wire"
)

// ErrUnknown is the error of a camera that the broker does not know.
var ErrUnknown = errors.New("no camera")

// Find returns a camera once it is online or sleeping, or within patience why it
// cannot be asked: the broker does not know it, or it is offline. A camera of which the broker does
// not tell is asked with hello, and answers within half a second; a sleeping one may
// have a bridge that answers.
func (v *Viewer) Find(ctx context.Context, id wire.ID, patience time.Duration) (Camera, error) {
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	silence := time.NewTimer(min(patience, retainedTime))
	defer silence.Stop()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for {
		c, known := v.Camera(id)
		if c.reachable() {
			return c, nil
		}
		select {
		case <-ctx.Done():
			return c, context.Cause(ctx)
		case <-look.C:
			continue
		case <-silence.C:
			if !known {
				v.directory.ask(id)
			}
			continue
		case <-deadline.C:
		}
		if !known {
			others := v.others(ctx) // which takes time
			if c, known = v.Camera(id); !known {
				return c, fmt.Errorf("%w %s on the broker%s", ErrUnknown, id, others)
			}
		}
		if c.reachable() {
			return c, nil
		}
		return c, fmt.Errorf("camera %s is %s", id, c.Status)
	}
}

// others names the cameras there are, for a message. A viewer of one camera has to ask
// the broker.
func (v *Viewer) others(ctx context.Context) string {
	if v.opts.Camera != "" {
		v.overhear(ctx)
	}
	var ids []string
	for _, c := range v.Cameras() {
		ids = append(ids, string(c.ID))
	}
	switch n := len(ids); {
	case n == 0:
		return "; there is none"
	case n > 10:
		return fmt.Sprintf("; there are %s and %d more", strings.Join(ids[:10], ", "), n-10)
	}
	return "; there is " + strings.Join(ids, ", ")
}

// overhear has the broker tell of all cameras of which it keeps a status.
func (v *Viewer) overhear(ctx context.Context) {
	v.directory.learnAll()
	answer := v.opts.Link.Subscribe(ctx, mqttclient.Subscription{Filter: v.opts.Base.Every(wire.KindStatus), QoS: 1})
	select {
	case <-answer:
	case <-ctx.Done():
	}
	select {
	case <-time.After(retainedTime):
	case <-ctx.Done():
	}
}
