package broker

import (
	"sync"
	"time"

	"camqtt/internal/access"
)

// will is the message to publish when a client has gone without DISCONNECT.
type will struct {
	m     *message
	delay time.Duration // [MQTT-3.1.3-9]
	life  uint32        // seconds from its publication; 0 for ever
}

// wills are those whose delay has begun.
type wills struct {
	router *router
	rights *rights
	mu     sync.Mutex
	m      map[string]*pendingWill // by client id
}

type pendingWill struct {
	m   *message
	who access.Principal
	due time.Time
}

// publish publishes a will whose time has come.
func (w *wills) publish(p *pendingWill) {
	if w.rights.mayPublishWill(p.who, p.m.topic) {
		w.router.publish(p.m)
	}
}

// connectionEnded publishes the will of a connection that has ended, now or after its delay. The
// right to publish it was checked when the client connected; see
// [rights.mayPublishWill] for accounts that have gone since.
func (ws *wills) connectionEnded(c *conn) {
	w := c.last
	c.last = nil
	if w == nil || c.session == nil {
		return
	}
	delay := min(w.delay, c.terms.expiry) // a session's end brings it forward
	if !ws.rights.accounts.Current(c.who) {
		delay = 0
	}
	w.m.account = c.account
	if w.life > 0 {
		w.m.expiry = time.Now().Add(delay).Unix() + int64(w.life)
	}
	p := &pendingWill{m: w.m, who: c.who, due: time.Now().Add(delay)}
	if delay <= 0 {
		ws.publish(p)
		return
	}
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.m[c.id] = p
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
		w.publish(p)
	}
}

// due publishes every delayed will whose time has come; the zero time is that of all.
func (w *wills) due(now time.Time) {
	var out []*pendingWill
	w.mu.Lock()
	for id, p := range w.m {
		if now.IsZero() || !now.Before(p.due) {
			out = append(out, p)
			delete(w.m, id)
		}
	}
	w.mu.Unlock()
	for _, p := range out {
		w.publish(p)
	}
}
