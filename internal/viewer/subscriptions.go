package viewer

import (
	"context"
	"strings"
	"sync"
	"time"

	"camqtt/internal/mqttclient"
	"camqtt/internal/wire"
)

// idleClose is how long a topic stays subscribed after its last listener, so that asking
// again does not cause another SUBSCRIBE and the retained messages that follow one. Live
// pictures end at once.
const idleClose = 10 * time.Second

// listener hears the messages of topics. hear must not block.
type listener struct {
	hear func(wire.Kind, wire.Message)
}

// topic is a subscription shared by all its listeners.
type topic struct {
	name      string
	listeners map[*listener]bool
	answered  chan struct{} // closed when the broker has answered
	err       error         // the broker's answer, once it has come
	idle      *time.Timer   // runs while there is no listener; nil before
	newest    []byte        // of a preview, what came last; nil before
}

// subscriptions shares the topics of one link among listeners.
type subscriptions struct {
	link Link

	order  chan struct{} // held while packets are handed over
	mu     sync.Mutex
	topics map[string]*topic
}

func newSubscriptions(l Link) *subscriptions {
	return &subscriptions{link: l, order: make(chan struct{}, 1), topics: map[string]*topic{}}
}

// join has a listener hear topics until leave is called. It returns when a SUBSCRIBE for
// what is not subscribed yet is on its way; refused gets one error if the broker does not
// accept it.
func (s *subscriptions) join(ctx context.Context, e *listener, subs []mqttclient.Subscription) (refused <-chan error, leave func(), err error) {
	select {
	case s.order <- struct{}{}:
		defer func() { <-s.order }()
	case <-ctx.Done():
		return nil, nil, context.Cause(ctx)
	}
	var joined, asked []*topic
	var missing []mqttclient.Subscription
	s.mu.Lock()
	for _, sub := range subs {
		t := s.topics[sub.Filter]
		if t == nil {
			t = &topic{name: sub.Filter, listeners: map[*listener]bool{}, answered: make(chan struct{})}
			s.topics[sub.Filter] = t
			missing, asked = append(missing, sub), append(asked, t)
		}
		t.listeners[e] = true
		if t.idle != nil {
			t.idle.Stop()
			t.idle = nil
		}
		joined = append(joined, t)
	}
	s.mu.Unlock()
	if len(missing) > 0 {
		answer := s.link.Subscribe(ctx, missing...)
		go func() { s.settle(asked, <-answer) }() // ends with the answer, which the link bounds
	}
	return refusal(joined), func() { s.leave(e, subs) }, nil
}

// refusal brings the first error that the broker answers to topics.
func refusal(topics []*topic) <-chan error {
	refused := make(chan error, 1)
	go func() { // ends with the answers
		for _, t := range topics {
			<-t.answered
			if t.err != nil {
				refused <- t.err
				return
			}
		}
	}()
	return refused
}

// settle notes the broker's answer. What was refused is asked again by the next listener.
func (s *subscriptions) settle(asked []*topic, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range asked {
		t.err = err
		close(t.answered)
		if err != nil && s.topics[t.name] == t {
			delete(s.topics, t.name)
		}
	}
}

// leave ends what join began.
func (s *subscriptions) leave(e *listener, subs []mqttclient.Subscription) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sub := range subs {
		t := s.topics[sub.Filter]
		if t == nil || !t.listeners[e] {
			continue
		}
		delete(t.listeners, e)
		if len(t.listeners) > 0 {
			continue
		}
		wait := idleClose
		if strings.HasSuffix(sub.Filter, "/"+string(wire.KindFrame)) {
			wait = 0
		}
		t.idle = time.AfterFunc(wait, func() { s.expire(sub.Filter, t) })
	}
}

// expire unsubscribes a topic that nothing listens to any more.
func (s *subscriptions) expire(name string, t *topic) {
	s.order <- struct{}{}
	defer func() { <-s.order }()
	s.mu.Lock()
	unused := s.topics[name] == t && len(t.listeners) == 0
	if unused {
		delete(s.topics, name)
	}
	s.mu.Unlock()
	if unused {
		s.link.Unsubscribe(name)
	}
}

// answered is closed when the broker has answered the subscription to a topic.
func (s *subscriptions) answered(name string) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.topics[name]; t != nil {
		return t.answered
	}
	return nil
}

// newest returns what came last on the topic of a preview; false before anything came.
func (s *subscriptions) newest(name string) (jpg []byte, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.topics[name]
	if t == nil || t.newest == nil {
		return nil, false
	}
	return t.newest, true
}

// forget drops what came before the link was lost: it may have been cleared meanwhile.
func (s *subscriptions) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.topics {
		t.newest = nil
	}
}

// receivers notes a message and returns the listeners of its topic.
func (s *subscriptions) receivers(kind wire.Kind, m wire.Message) (all []*listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.topics[m.Topic]; t != nil {
		if kind == wire.KindPreview {
			t.newest = m.Payload
			if t.newest == nil {
				t.newest = []byte{} // it has come, and says that there is none
			}
		}
		for e := range t.listeners {
			all = append(all, e)
		}
	}
	return all
}
