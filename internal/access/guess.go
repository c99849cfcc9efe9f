package access

import (
	"net"
	"net/netip"
	"time"
)

// Guess asks for a try of a secret that is no account's, such as an invitation's. It
// counts like a wrong password from its address unless right is called; the error is
// [*Slow].
func (a *Accounts) Guess(from net.Addr) (right func(), err error) {
	var key netip.Addr
	if ip, ok := IP(from); ok {
		key = Household(ip)
	}
	g := a.checker.guard
	if wait := g.takeAddress(key, time.Now()); wait > 0 {
		return nil, &Slow{After: wait}
	}
	return func() { g.giveBackAddress(key, time.Now()) }, nil
}

// takeAddress takes a try from an address alone. 0: it was taken; else how long there
// is none.
func (g *guard) takeAddress(from netip.Addr, now time.Time) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	b := room(g.addresses, from, addressBurst, addressEvery, now)
	if wait := b.missing(addressEvery); wait > 0 {
		return wait
	}
	b.left--
	return 0
}

// giveBackAddress gives back what takeAddress took.
func (g *guard) giveBackAddress(from netip.Addr, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	b := room(g.addresses, from, addressBurst, addressEvery, now)
	b.left = min(addressBurst, b.left+1)
}
