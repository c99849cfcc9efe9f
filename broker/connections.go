package broker

import (
	"fmt"
	"net"
	"net/netip"
	"sync"

	"camqtt/internal/clientip"
	"camqtt/internal/mqtt"
)

// connections are all that are open, within the limits on their number.
type connections struct {
	limits *Limits
	log    *journal
	count  *counters

	serving sync.WaitGroup // every connection that was added

	mu         sync.Mutex
	closing    bool
	open       int
	connsPerIP map[netip.Addr]int
	all        map[*conn]struct{}
}

// end ends every connection, and every one that would begin now.
func (cs *connections) end() {
	cs.mu.Lock()
	cs.closing = true
	cs.mu.Unlock()
	for _, c := range cs.list() {
		c.kick(mqtt.ServerShuttingDown)
	}
}

// admission is as what a connection was counted.
type admission struct {
	inside bool       // a part of this program, which always finds room
	key    netip.Addr // address by which it is counted; invalid: by none
}

// admit counts a connection against the caps before anything is spent on it.
func (cs *connections) admit(from net.Addr) (admission, error) {
	ip, counted := clientip.Of(from)
	a := admission{inside: from == nil}
	if counted && !ip.IsLoopback() {
		a.key = clientip.Group(ip)
	}
	full := cs.full(a) && !cs.evictPending()
	cs.mu.Lock()
	defer cs.mu.Unlock()
	switch {
	case cs.closing:
		return a, ErrClosed
	case full:
		cs.log.warn("connection refused, too many are open", "open", cs.open, "remote", from.String())
		return a, fmt.Errorf("refuse connection: %d are open", cs.open)
	case a.key.IsValid() && cs.connsPerIP[a.key] >= cs.limits.PerAddress:
		cs.log.warn("connection refused, too many from one address", "remote", a.key.String())
		return a, fmt.Errorf("refuse connection: %d are open from %s", cs.connsPerIP[a.key], a.key)
	}
	if !a.inside {
		cs.open++
	}
	if a.key.IsValid() {
		cs.connsPerIP[a.key]++
	}
	cs.count.accepted.Add(1)
	return a, nil
}

// full reports whether there is room only if another connection is ended: all are open,
// and the address may have more.
func (cs *connections) full(a admission) bool {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return !a.inside && cs.open >= cs.limits.Connections && cs.connsPerIP[a.key] < cs.limits.PerAddress
}

// dismiss gives back what admit has counted.
func (cs *connections) dismiss(a admission) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if !a.inside {
		cs.open--
	}
	if !a.key.IsValid() {
		return
	}
	if cs.connsPerIP[a.key]--; cs.connsPerIP[a.key] == 0 {
		delete(cs.connsPerIP, a.key)
	}
}

// add makes a connection one that shutdown ends. false: shutdown has begun.
func (cs *connections) add(c *conn) bool {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.closing {
		return false
	}
	cs.all[c] = struct{}{}
	cs.serving.Add(1)
	return true
}

// remove forgets a connection that has ended.
func (cs *connections) remove(c *conn) {
	cs.mu.Lock()
	delete(cs.all, c)
	cs.mu.Unlock()
	cs.serving.Done()
}

// list gives all connections.
func (cs *connections) list() []*conn {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	out := make([]*conn, 0, len(cs.all))
	for c := range cs.all {
		out = append(out, c)
	}
	return out
}

// evictPending ends a connection that is over and only read on, or the one that has been
// open for longest without sending CONNECT. false: there is none.
func (cs *connections) evictPending() bool {
	var oldest *conn
	for _, c := range cs.list() {
		if c.lingers.Load() {
			_ = c.raw.Close()
			return true
		}
		if !c.connecting.Load() && c.kicked.Load() == nil && (oldest == nil || c.opened.Before(oldest.opened)) {
			oldest = c
		}
	}
	if oldest == nil {
		return false
	}
	cs.log.warnClient(oldest, "connection closed, it has sent no CONNECT and all connections are open")
	oldest.kick(mqtt.ServerBusy)
	return true
}
