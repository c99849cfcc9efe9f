package viewer

import (
	"context"
	"sync"

	"camqtt/internal/link"
	"camqtt/internal/wire"
)

// topic is a subscription shared by all who listen to it.
type topic struct {
	refs int           // guarded by Viewer.mu
	ears map[*ear]bool // guarded by Viewer.mu

	op         sync.Mutex // held while subscribing or unsubscribing
	subscribed bool       // guarded by op
}

// ear is one listener. hear must not block.
type ear struct {
	hear func(wire.Kind, wire.Message)
}

// listen subscribes to kinds of one camera until the returned function is
// called. It returns when the broker has acknowledged.
func (v *Viewer) listen(ctx context.Context, id wire.ID, hear func(wire.Kind, wire.Message), kinds ...wire.Kind) (stop func(), err error) {
	e := &ear{hear}
	var got []string
	stop = func() {
		for _, name := range got {
			v.leave(name, e)
		}
	}
	for _, k := range kinds {
		name := v.opts.Base.Topic(id, k)
		got = append(got, name)
		if err := v.join(ctx, name, wire.ChannelOf(k).QoS, e); err != nil {
			stop()
			return nil, err
		}
	}
	return stop, nil
}

func (v *Viewer) join(ctx context.Context, name string, qos byte, e *ear) error {
	v.mu.Lock()
	t := v.topics[name]
	if t == nil {
		t = &topic{ears: map[*ear]bool{}}
		v.topics[name] = t
	}
	t.refs++
	t.ears[e] = true
	v.mu.Unlock()

	t.op.Lock()
	defer t.op.Unlock()
	if t.subscribed {
		return nil
	}
	if err := v.opts.Link.Subscribe(ctx, link.Subscription{Filter: name, QoS: qos}); err != nil {
		return err
	}
	t.subscribed = true
	return nil
}

func (v *Viewer) leave(name string, e *ear) {
	v.mu.Lock()
	t := v.topics[name]
	delete(t.ears, e)
	t.refs--
	v.mu.Unlock()

	t.op.Lock()
	defer t.op.Unlock()
	v.mu.Lock()
	unused := t.refs == 0
	v.mu.Unlock()
	if unused && t.subscribed {
		t.subscribed = false
		if err := v.opts.Link.Unsubscribe(context.Background(), name); err != nil {
			v.opts.Log.Debug("not unsubscribed", "topic", name, "err", err)
		}
	}
	v.mu.Lock()
	if t.refs == 0 {
		delete(v.topics, name)
	}
	v.mu.Unlock()
}
