package broker

import (
	"iter"
	"slices"
	"sync"
	"time"

	"camqtt/broker/internal/sendqueue"
	"camqtt/broker/internal/sharedbuffer"
	"camqtt/internal/access"
	"camqtt/internal/mqtt"
)

// retained are the retained messages, pictures among them by reference.
type retained struct {
	b        *Broker
	mu       sync.RWMutex
	m        map[string]*message
	bytes    int
	debounce writeDebounce // what the store has to write
}

func newRetained(b *Broker) *retained {
	return &retained{b: b, m: make(map[string]*message), debounce: newWriteDebounce(b.limits.StoreSlow)}
}

// set keeps a message, replacing the one of its topic; an empty payload removes it.
// [MQTT-3.3.1-5] to 7
func (r *retained) set(m *message) {
	l := &r.b.limits
	r.mu.Lock()
	defer r.mu.Unlock()
	n := m.size()
	old := r.m[m.topic]
	before := 0
	if old != nil {
		before = old.size()
	}
	switch {
	case len(m.payload.Bytes) == 0:
		if old != nil {
			r.forget(m.topic)
		}
		return
	case m.kind == ordinary && n > l.RetainedMessage,
		old == nil && len(r.m) >= l.RetainedMessages,
		r.bytes-before+n > l.RetainedBytes:
		r.b.count.retainedRefused.Add(1)
		r.b.log.warn("retained message not kept, there is no room", "topic", m.topic, "bytes", n)
		if old != nil { // an old state is worse than none
			r.forget(m.topic)
		}
		return
	}
	same := old != nil && m.kind == ordinary && old.qos == m.qos && old.expiry == m.expiry &&
		old.props == nil && m.props == nil && string(old.payload.Bytes) == string(m.payload.Bytes)
	m.payload.Hold()
	if old != nil {
		old.payload.Release()
	}
	r.m[m.topic] = m
	r.bytes += n - before
	if !same && r.b.data != "" {
		r.debounce.changed(r.b.base, m.topic, time.Now())
	}
}

// forget removes a topic. The caller holds mu.
func (r *retained) forget(topic string) {
	m := r.m[topic]
	delete(r.m, topic)
	r.bytes -= m.size()
	m.payload.Release()
	if r.b.data != "" {
		r.debounce.removed(topic)
	}
}

// topics gives the topics under a filter that have a retained message, in order.
func (r *retained) topics(filter string) []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if _, ok := r.m[filter]; ok {
		return []string{filter}
	}
	var out []string
	for topic := range r.m {
		if mqtt.Matches(filter, topic) {
			out = append(out, topic)
		}
	}
	slices.Sort(out)
	return out
}

// send hands the newest retained message of a topic to a client that has just
// subscribed. The lock is held meanwhile, so that a newer one, which is set before it
// is delivered, can only come after it.
func (r *retained) send(c *conn, a retainedAsk, topic string) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	m := r.m[topic]
	if m == nil || m.expired(time.Now()) || !r.b.rights.allowed(c.who, access.Receive, topic) {
		return
	}
	qos := min(a.qos, m.qos, 2)
	if qos > 0 && !c.session.hasWaiting() {
		c.session.send(m, delivery{version: c.version, qos: qos, retain: true, ids: a.ids})
		return
	}
	// Behind a full window it goes at QoS 0: thousands of retained messages must
	// neither be lost nor pile up.
	head := m.encode(delivery{version: c.version, retain: true, ids: a.ids})
	if c.terms.max > 0 && len(head)+len(m.payload.Bytes) > c.terms.max {
		return
	}
	r.b.count.messagesOut.Add(1)
	if m.kind != ordinary && m.qos == 0 {
		c.send.Push(m.picture(head), sendqueue.UnlessNewer)
		return
	}
	c.send.Push(sendqueue.Packet{Head: head, Payload: m.payload}, sendqueue.Droppable)
}

// expire removes what may no longer be sent. [MQTT-3.3.2-5]
func (r *retained) expire(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for topic, m := range r.m {
		if m.expired(now) {
			r.forget(topic)
		}
	}
}

// clear lets go of everything.
func (r *retained) clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.m {
		m.payload.Release()
	}
	clear(r.m)
	r.bytes = 0
}

func (r *retained) size() (n, bytes int) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.m), r.bytes
}

// replace changes a payload that is exactly old.
func (r *retained) replace(topic, old, now string) {
	r.mu.RLock()
	m := r.m[topic]
	r.mu.RUnlock()
	if m == nil || string(m.payload.Bytes) != old {
		return
	}
	changed := *m
	changed.payload = sharedbuffer.Of([]byte(now))
	r.set(&changed)
}

// take gives what it is time to write at a time, and the zero time everything: messages
// that are held for the caller, and topics that have none any more.
func (r *retained) take(now time.Time) (changed []*message, gone []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, topic := range r.debounce.due(now) {
		m := r.m[topic]
		if m == nil {
			gone = append(gone, topic)
			continue
		}
		m.payload.Hold()
		changed = append(changed, m)
	}
	return changed, gone
}

// ordinary gives every ordinary message, in the order of topics, held while it is looked
// at.
func (r *retained) ordinary() iter.Seq[*message] {
	return func(yield func(*message) bool) {
		for _, topic := range r.topics("#") {
			r.mu.RLock()
			m := r.m[topic]
			if m != nil {
				m.payload.Hold()
			}
			r.mu.RUnlock()
			if m == nil {
				continue
			}
			more := m.kind != ordinary || yield(m)
			m.payload.Release()
			if !more {
				return
			}
		}
	}
}

// touch makes the store write topics.
func (r *retained) touch(topics ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, topic := range topics {
		r.debounce.removed(topic)
	}
}

// stored says that the disk has what there is.
func (r *retained) stored() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.debounce = newWriteDebounce(r.b.limits.StoreSlow)
}

// payload gives what a topic has retained; "" is nothing.
func (r *retained) payload(topic string) string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if m := r.m[topic]; m != nil {
		return string(m.payload.Bytes)
	}
	return ""
}

// remove forgets a topic.
func (r *retained) remove(topic string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.m[topic] != nil {
		r.forget(topic)
	}
}
