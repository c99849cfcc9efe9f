package broker

import (
	"sync"
	"time"
)

// will is what a client wants to be said when it goes without a word.
type will struct {
	m     *message
	delay time.Duration // [MQTT-3.1.3-9]
	life  uint32        // seconds from its publication; 0 for ever
}

// wills are those whose delay has begun.
type wills struct {
	b  *Broker
	mu sync.Mutex
	m  map[string]*pendingWill // by client id
}

type pendingWill struct {
	m   *message
	due time.Time
}

// speak publishes the will of a connection that has ended, now or after its delay. The
// right to publish it was checked when the client connected; that the account has gone
// since is one more way to go.
func (b *Broker) speak(c *conn) {
	w := c.last
	c.last = nil
	if w == nil || c.session == nil {
		return
	}
	delay := min(w.delay, c.terms.expiry) // a session's end brings it forward
	if !b.access.Current(c.who) {
		delay = 0
	}
	if w.life > 0 {
		w.m.expiry = time.Now().Add(delay).Unix() + int64(w.life)
	}
	if delay <= 0 {
		b.publish(w.m)
		return
	}
	b.wills.mu.Lock()
	defer b.wills.mu.Unlock()
	b.wills.m[c.id] = &pendingWill{m: w.m, due: time.Now().Add(delay)}
}

// cancel forgets a delayed will because its client is back.
func (w *wills) cancel(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.m, id)
}

// now publishes the delayed will of a client whose session has ended.
func (w *wills) now(id string) {
	w.mu.Lock()
	p := w.m[id]
	delete(w.m, id)
	w.mu.Unlock()
	if p != nil {
		w.b.publish(p.m)
	}
}

// due publishes every delayed will whose time has come; the zero time is that of all.
func (w *wills) due(now time.Time) {
	var out []*message
	w.mu.Lock()
	for id, p := range w.m {
		if now.IsZero() || !now.Before(p.due) {
			out = append(out, p.m)
			delete(w.m, id)
		}
	}
	w.mu.Unlock()
	for _, m := range out {
		w.b.publish(m)
	}
}
