package broker

import (
	"slices"
	"sync"
	"time"

	"camqtt/internal/access"
)

// retained are the retained messages, pictures among them by reference.
type retained struct {
	b     *Broker
	mu    sync.RWMutex
	m     map[string]*message
	bytes int
	// What the store has to write: whether ordinary messages changed, and the topics of
	// pictures that did since it last looked.
	pace     pace
	pictures map[string]bool
	written  map[string]time.Time // when a picture was last written
}

func newRetained(b *Broker) *retained {
	return &retained{
		b: b, m: make(map[string]*message),
		pace:     pace{slow: b.limits.StoreSlow, last: make(map[string]time.Time)},
		pictures: make(map[string]bool), written: make(map[string]time.Time),
	}
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
	case len(m.load.b) == 0:
		if old != nil {
			r.forget(m.topic)
		}
		return
	case m.kind == ordinary && n > l.RetainedMessage,
		old == nil && len(r.m) >= l.RetainedMessages,
		r.bytes-before+n > l.RetainedBytes:
		r.b.count.retainedRefused.Add(1)
		r.b.log.trouble("retained message not kept, there is no room", "topic", m.topic, "bytes", n)
		if old != nil { // an old state is worse than none
			r.forget(m.topic)
		}
		return
	}
	same := old != nil && m.kind == ordinary && old.qos == m.qos && old.expiry == m.expiry &&
		old.props == nil && m.props == nil && string(old.load.b) == string(m.load.b)
	m.load.hold()
	if old != nil {
		old.load.drop()
	}
	r.m[m.topic] = m
	r.bytes += n - before
	switch {
	case same || r.b.data == "":
	case m.kind == ordinary:
		r.pace.changed(r.b.base, m.topic, time.Now())
	default:
		r.pictures[m.topic] = true
	}
}

// forget removes a topic. The caller holds mu.
func (r *retained) forget(topic string) {
	m := r.m[topic]
	delete(r.m, topic)
	r.bytes -= m.size()
	m.load.drop()
	switch {
	case r.b.data == "":
	case m.kind == ordinary:
		r.pace.removed(topic)
	default:
		r.pictures[topic] = true
		delete(r.written, topic) // it goes at once
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
		if matches(filter, topic) {
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
	if m == nil || m.expired(time.Now()) || !r.b.allowed(c.who, access.Receive, topic) {
		return
	}
	qos := min(a.qos, m.qos, 2)
	if qos > 0 && !c.session.crowded() {
		c.session.send(m, delivery{version: c.version, qos: qos, retain: true, ids: a.ids})
		return
	}
	// Behind a full window it goes at QoS 0: thousands of retained messages must
	// neither be lost nor pile up.
	head := m.encode(delivery{version: c.version, retain: true, ids: a.ids})
	if c.terms.max > 0 && len(head)+len(m.load.b) > c.terms.max {
		return
	}
	r.b.count.messagesOut.Add(1)
	if m.kind != ordinary && m.qos == 0 {
		c.push(item{topic: topic, kind: m.kind, cam: m.cam, head: head, load: m.load}, unlessNewer)
		return
	}
	c.push(item{head: head, load: m.load}, droppable)
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
		m.load.drop()
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
	if m == nil || string(m.load.b) != old {
		return
	}
	changed := *m
	changed.load = plain([]byte(now))
	r.set(&changed)
}

// takeMessages gives every ordinary message if it is time to write them; the zero time
// is the last.
func (r *retained) takeMessages(now time.Time) ([]*message, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.pace.due(now) {
		return nil, false
	}
	out := make([]*message, 0, len(r.m))
	for _, m := range r.m {
		if m.kind == ordinary {
			out = append(out, m)
		}
	}
	return out, true
}

// takePictures gives the pictures that changed and that it is time to write, held for
// the caller; nil for those removed.
func (r *retained) takePictures(now time.Time) map[string]*message {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make(map[string]*message, len(r.pictures))
	for topic := range r.pictures {
		m := r.m[topic]
		if last, ok := r.written[topic]; ok && m != nil && !now.IsZero() && now.Sub(last) < r.b.limits.StoreSlow {
			continue
		}
		if m != nil {
			m.load.hold()
			r.written[topic] = now
		}
		out[topic] = m
		delete(r.pictures, topic)
	}
	return out
}

// touch makes the store write the ordinary messages.
func (r *retained) touch() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pace.soon = true
}

// touchPicture makes the store write a picture.
func (r *retained) touchPicture(topic string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pictures[topic] = true
	delete(r.written, topic)
}

// stored says that the file of ordinary messages is as they are.
func (r *retained) stored() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pace.soon, r.pace.waiting = false, time.Time{}
	clear(r.pace.last)
}

// storedPicture says that a picture's file is as it is.
func (r *retained) storedPicture(topic string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.pictures, topic)
}
