package push

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

// limit bounds the connections that are open at once.
type limit struct {
	most, each int

	mu   sync.Mutex
	all  int
	from map[netip.Addr]int
}

func newLimit(most, each int) *limit {
	return &limit{most: most, each: each, from: map[netip.Addr]int{}}
}

func (l *limit) enter(a netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all >= l.most || l.from[a] >= l.each {
		return false
	}
	l.all++
	l.from[a]++
	return true
}

func (l *limit) leave(a netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all--
	if l.from[a]--; l.from[a] == 0 {
		delete(l.from, a)
	}
}

// listener turns away connections beyond the limit.
type listener struct {
	net.Listener
	limit *limit
}

// Accept returns the next connection that may stay.
func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		a := household(address(c.RemoteAddr().String()))
		if l.limit.enter(a) {
			return &limited{Conn: c, leave: func() { l.limit.leave(a) }}, nil
		}
		_ = c.Close() // nobody was there yet
	}
}

// limited is a connection that counts until it is closed.
type limited struct {
	net.Conn
	once  sync.Once
	leave func()
}

// Close closes the connection and makes room for another.
func (c *limited) Close() error {
	defer c.once.Do(c.leave)
	return c.Conn.Close()
}

// address is the IP address in one of a peer, "192.0.2.1:80"; the zero Addr where
// there is none.
func address(peer string) netip.Addr {
	ap, err := netip.ParseAddrPort(peer)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap().WithZone("")
}

// household is what limits count as one: an IPv4 address, or the /64 that one
// connection to the Internet has in IPv6 (RFC 6177).
func household(a netip.Addr) netip.Addr {
	if !a.Is6() {
		return a
	}
	p, err := a.Prefix(64)
	if err != nil {
		return a
	}
	return p.Addr()
}

// bucket lets so many things happen at once, and so many more per second.
type bucket struct {
	used float64
	at   time.Time
}

// drain gives back what time has.
func (b *bucket) drain(now time.Time, perSecond float64) {
	b.used = max(0, b.used-perSecond*now.Sub(b.at).Seconds())
	b.at = now
}

// take reports whether one more may happen, and counts it.
func (b *bucket) take(now time.Time, perSecond, burst float64) bool {
	b.drain(now, perSecond)
	if b.used+1 > burst {
		return false
	}
	b.used++
	return true
}
