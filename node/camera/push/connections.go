package push

import (
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"camqtt/internal/clientip"
)

// connections bounds the open connections of boards that have not yet said which
// camera they are. The oldest gives way to a new one: a board sends what identifies it at
// once, so that idle connections never keep it out, not even those from its own address.
type connections struct {
	most, each int                   // in all, and of one address
	evict      func(c *unidentified) // tells why a connection is ended, and closes it

	mu      sync.Mutex
	waiting []*unidentified // oldest first
	from    map[netip.Addr]int
}

func newConnections(most, each int, evict func(*unidentified)) *connections {
	return &connections{most: most, each: each, evict: evict, from: map[netip.Addr]int{}}
}

// unidentified is a connection whose board has not said which camera it is.
type unidentified struct {
	net.Conn
	addr  netip.Addr // grouped, see group
	all   *connections
	close sync.Once
	// onTLS is called when the first bytes are those of a TLS handshake; nil looks at none.
	onTLS func(*unidentified)
}

// Read looks at the first bytes: a record of type 22 and version 3. RFC 8446 section 5.1.
func (c *unidentified) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.onTLS != nil && n > 0 {
		if p[0] == 22 && (n == 1 || p[1] == 3) {
			c.onTLS(c)
		}
		c.onTLS = nil
	}
	return n, err
}

// add counts a connection, and ends another one if there are too many.
func (l *connections) add(c *unidentified) {
	l.mu.Lock()
	l.waiting = append(l.waiting, c)
	l.from[c.addr]++
	var old *unidentified
	switch {
	case l.from[c.addr] > l.each:
		old = l.oldest(func(a netip.Addr) bool { return a == c.addr })
	case len(l.waiting) > l.most:
		most := 0
		for _, n := range l.from {
			most = max(most, n)
		}
		old = l.oldest(func(a netip.Addr) bool { return l.from[a] == most })
	}
	if old != nil {
		l.drop(old)
	}
	l.mu.Unlock()
	if old != nil {
		l.evict(old)
	}
}

func (l *connections) oldest(of func(netip.Addr) bool) *unidentified {
	i := slices.IndexFunc(l.waiting, func(c *unidentified) bool { return of(c.addr) })
	return l.waiting[i]
}

// drop no longer counts a connection. The caller holds mu.
func (l *connections) drop(c *unidentified) {
	i := slices.Index(l.waiting, c)
	if i < 0 {
		return
	}
	l.waiting = slices.Delete(l.waiting, i, i+1)
	if l.from[c.addr]--; l.from[c.addr] == 0 {
		delete(l.from, c.addr)
	}
}

// identified takes a connection out of the count: its board has a right to send.
func (c *unidentified) identified() {
	c.all.mu.Lock()
	defer c.all.mu.Unlock()
	c.all.drop(c)
}

// idle counts a connection again that is kept open behind a picture.
func (c *unidentified) idle() {
	c.identified()
	c.all.add(c)
}

// Close closes the connection and no longer counts it.
func (c *unidentified) Close() error {
	c.close.Do(c.identified)
	return c.Conn.Close()
}

// listener counts the connections it accepts.
type listener struct {
	net.Listener
	all   *connections
	onTLS func(*unidentified) // of its connections
}

// Accept returns the next connection.
func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	u := &unidentified{Conn: c, addr: clientip.Group(address(c.RemoteAddr().String())), all: l.all, onTLS: l.onTLS}
	l.all.add(u)
	return u, nil
}

// address is the IP address of a peer such as 192.0.2.1:80; the zero Addr is none.
func address(peer string) netip.Addr {
	ip, _ := clientip.Parse(peer)
	return ip
}

// tlsOnPlainPort logs and counts a board that speaks TLS to a port without it.
func (s *Server) tlsOnPlainPort(c *unidentified) {
	s.tell(credentials{from: c.addr, at: time.Now()}, errTLS)
}
