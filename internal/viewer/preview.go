package viewer

import (
	"context"
	"time"

	"camqtt/internal/wire"
)

// Kept returns the newest picture of a camera's preview that the broker keeps or has
// brought. It asks the camera for nothing. false: there is none.
//
// The topic stays subscribed for a while, so who asks again and again is answered at once.
func (v *Viewer) Kept(ctx context.Context, id wire.ID) (Picture, bool, error) {
	came := make(chan struct{}, 1)
	name := v.opts.Base.Topic(id, wire.KindPreview)
	refused, leave, err := v.topics.join(ctx, &listener{hear: func(wire.Kind, wire.Message) {
		select {
		case came <- struct{}{}:
		default:
		}
	}}, v.topicsOf(id, wire.KindPreview))
	if err != nil {
		return Picture{}, false, err
	}
	defer leave()
	late := time.NewTimer(retainedTime)
	defer late.Stop()
	answered := v.topics.answered(name)
	for {
		if jpg, known := v.topics.newest(name); known {
			return v.live(id, jpg), len(jpg) > 0, nil
		}
		select {
		case <-came:
		case <-answered: // what the broker keeps follows its answer
			answered = nil
			late.Reset(retainedTime)
		case err := <-refused:
			return Picture{}, false, err
		case <-late.C:
			if answered == nil {
				return Picture{}, false, nil
			}
		case <-ctx.Done():
			return Picture{}, false, context.Cause(ctx)
		}
	}
}
