package cli

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"camqtt/internal/homeassistant"
	"camqtt/internal/mqttclient"
	"camqtt/internal/wire"
)

// leftovers reads what a broker keeps of one camera.
type leftovers struct {
	id   wire.ID
	hass homeassistant.Options

	mu     sync.Mutex
	topics map[string]bool // with something retained
	prefix string          // of discovery, as the broker's own process says; "" before it has
	last   time.Time       // when something was last told
}

// hear takes a message that the broker sends.
func (k *leftovers) hear(m wire.Message) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.last = time.Now()
	if m.Topic == k.hass.Base.Hub() {
		var h wire.Hub
		if json.Unmarshal(m.Payload, &h) == nil {
			k.prefix = h.Prefix
		}
		return
	}
	if !k.about(m.Topic) {
		return
	}
	if len(m.Payload) == 0 {
		delete(k.topics, m.Topic)
		return
	}
	if m.Retained {
		k.topics[m.Topic] = true
	}
}

// about reports whether a topic is one that is to be cleared. k.mu is held.
func (k *leftovers) about(topic string) bool {
	if id, kind, ok := k.hass.Base.Split(topic); ok {
		return id == k.id && wire.ChannelOf(kind).Retain != wire.Never
	}
	object, ok := k.hass.Ours(topic)
	return ok && object == homeassistant.CameraObject(k.id)
}

// filters are those under which everything is.
func (k *leftovers) filters() (all []mqttclient.Subscription) {
	for _, c := range wire.Channels() {
		if c.Retain != wire.Never {
			all = append(all, mqttclient.Subscription{Filter: k.hass.Base.Topic(k.id, c.Kind)})
		}
	}
	for _, f := range k.hass.Filters(homeassistant.CameraObject(k.id)) {
		all = append(all, mqttclient.Subscription{Filter: f})
	}
	return all
}

// quiet is how long a broker is silent that has told everything.
const quiet = 400 * time.Millisecond

// read asks anew for what is kept, and returns its topics and the filters that this
// account may not read.
func (k *leftovers) read(ctx context.Context, l *mqttclient.Link) (kept, hidden []string, err error) {
	subs := k.filters()
	k.mu.Lock()
	k.topics = map[string]bool{}
	k.last = time.Now()
	k.mu.Unlock()
	for _, s := range subs {
		l.Unsubscribe(s.Filter)
	}
	err = <-l.Subscribe(ctx, subs...)
	var refused *mqttclient.RefusedError
	switch {
	case errors.As(err, &refused):
		hidden = refused.Filters
	case err != nil:
		return nil, nil, err
	}
	if err := k.settle(ctx); err != nil {
		return nil, nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for t := range k.topics {
		kept = append(kept, t)
	}
	slices.Sort(kept)
	return kept, hidden, nil
}

// settle waits until the broker is silent.
func (k *leftovers) settle(ctx context.Context) error {
	for {
		k.mu.Lock()
		wait := time.Until(k.last.Add(quiet))
		k.mu.Unlock()
		if wait <= 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(wait):
		}
	}
}

// clears are the messages that clear topics, what Home Assistant reads first: it loses
// the entities and then what they show.
func (k *leftovers) clears(topics []string) (all []wire.Message) {
	own := strings.TrimSuffix(k.hass.Base.Topic(k.id, ""), "/") + "/"
	info := k.hass.Base.Topic(k.id, wire.KindInfo)
	rank := func(topic string) int {
		switch {
		case topic == info:
			return 1
		case strings.HasPrefix(topic, own):
			return 2
		}
		return 0
	}
	slices.SortStableFunc(topics, func(a, b string) int { return rank(a) - rank(b) })
	for _, t := range topics {
		all = append(all, wire.Message{Topic: t, QoS: 1, Retained: true})
	}
	return all
}
