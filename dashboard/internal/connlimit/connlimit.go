// Package connlimit bounds open connections, in all and from one address. A connection
// that serves no request makes room for a new one.
package connlimit

import (
	"net"
	"net/netip"
	"sync"
	"time"

	"camqtt/internal/clientip"
)

// maxRefused is how many connections over the limit are open to be told so by HTTP; more
// are closed without an answer.
const maxRefused = 16

// Limiter counts the open HTTP connections, WebSockets included. Where there are too
// many, one on which no request is being served makes room, so that connections that are
// only kept open keep nothing else out. Loopback has no limit of its own: a proxy on this
// machine speaks for others.
type Limiter struct {
	most       int
	perAddress int // of one IPv4 address or IPv6 /64

	mu      sync.Mutex
	all     map[net.Conn]*connection
	from    map[netip.Addr]int
	refused int // of all, those over the limit
	turned  int // away since the start, and those that made room
}

// connection is one of them.
type connection struct {
	group   netip.Addr // by which it is counted; invalid: by none
	idle    time.Time  // since when no request is being served; zero: one is
	refused bool       // it is over the limit, and will be told so
}

// New returns a limiter of so many connections. One address has a quarter of them.
func New(most int) *Limiter {
	return &Limiter{most: most, perAddress: max(most/4, 1), all: map[net.Conn]*connection{}, from: map[netip.Addr]int{}}
}

// Open counts a new connection. It returns another one that is to be closed for it; or
// the new one itself when there is no room; and whether there was room for it.
func (t *Limiter) Open(c net.Conn, now time.Time) (out net.Conn, room bool) {
	one := &connection{idle: now}
	if ip, ok := clientip.Of(c.RemoteAddr()); ok && !ip.IsLoopback() {
		one.group = clientip.Group(ip)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	room = true
	switch {
	case one.group.IsValid() && t.from[one.group] >= t.perAddress:
		out, room = t.oldest(func(x *connection) bool { return x.group == one.group })
	case len(t.all)-t.refused >= t.most:
		out, room = t.oldest(func(*connection) bool { return true })
	}
	if out != nil {
		t.forget(out)
	}
	if out != nil || !room {
		t.turned++
	}
	if !room {
		one.refused = true
		if t.refused++; t.refused > maxRefused {
			out = c
		}
	}
	t.all[c] = one
	if one.group.IsValid() {
		t.from[one.group]++
	}
	return out, room
}

// oldest finds the connection that has been idle for longest. The caller holds mu.
func (t *Limiter) oldest(of func(*connection) bool) (found net.Conn, ok bool) {
	var at time.Time
	for c, x := range t.all {
		if !x.idle.IsZero() && !x.refused && of(x) && (found == nil || x.idle.Before(at)) {
			found, at = c, x.idle
		}
	}
	return found, found != nil
}

// SetServing notes whether a request of a connection is being served.
func (t *Limiter) SetServing(c net.Conn, yes bool, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	x := t.all[c]
	switch {
	case x == nil:
	case yes:
		x.idle = time.Time{}
	default:
		x.idle = now
	}
}

// Close ends what Open has counted.
func (t *Limiter) Close(c net.Conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forget(c)
}

// forget no longer counts a connection. The caller holds mu.
func (t *Limiter) forget(c net.Conn) {
	x := t.all[c]
	if x == nil {
		return
	}
	delete(t.all, c)
	if x.refused {
		t.refused--
	}
	if !x.group.IsValid() {
		return
	}
	if t.from[x.group]--; t.from[x.group] == 0 {
		delete(t.from, x.group)
	}
}

// IsRefused reports whether a connection is over the limit.
func (t *Limiter) IsRefused(c net.Conn) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	x := t.all[c]
	return x != nil && x.refused
}

// Counts are the connections of a [Limiter].
type Counts struct {
	Open       int
	Idle       int // of Open, those that serve no request
	TurnedAway int // refused or closed for others since the start
}

// Counts returns how many connections there are.
func (t *Limiter) Counts() Counts {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := Counts{Open: len(t.all), TurnedAway: t.turned}
	for _, x := range t.all {
		if !x.idle.IsZero() {
			n.Idle++
		}
	}
	return n
}
