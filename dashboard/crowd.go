package dashboard

import (
	"net"
	"net/netip"
	"sync"

	"camqtt/internal/access"
)

// crowd counts open connections by where they come from, so that nobody can hold all
// there are. This machine is exempt: a proxy on it speaks for everybody.
type crowd struct {
	most int // from one IPv4 address or IPv6 /64

	mu   sync.Mutex
	from map[netip.Addr]int
}

// come counts a connection and reports whether there is room for it; either way it has
// to leave when it is closed.
func (c *crowd) come(a net.Addr) bool {
	home, counted := household(a)
	if !counted {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.from[home]++
	return c.from[home] <= c.most
}

// leave ends what come has counted.
func (c *crowd) leave(a net.Addr) {
	home, counted := household(a)
	if !counted {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.from[home]--; c.from[home] <= 0 {
		delete(c.from, home)
	}
}

// household is what connections are counted by; false for those that are not.
func household(a net.Addr) (netip.Addr, bool) {
	ip, ok := access.IP(a)
	return access.Household(ip), ok && !ip.IsLoopback()
}
