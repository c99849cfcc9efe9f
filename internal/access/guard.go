package access

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

// How often somebody may be wrong. An address may be wrong five times at once and
// five times a minute. An account is limited over all addresses from which nobody has
// come in under its name, so that many addresses cannot guess together; its owner,
// who has been in before, is not in their way.
const (
	addressBurst = 5
	addressEvery = 12 * time.Second
	accountBurst = 20
	accountEvery = 30 * time.Second

	maxBuckets  = 16384
	knownFor    = 30 * 24 * time.Hour
	longestName = 64 // of an account; see nameForm
)

// guard counts wrong tries. All who ask for secrets share one.
type guard struct {
	mu        sync.Mutex
	addresses map[netip.Addr]*bucket
	accounts  map[string]*bucket
	known     map[visit]time.Time
}

// visit is that somebody came in from an address.
type visit struct {
	from netip.Addr
	name string
}

// bucket holds tries that are left.
type bucket struct {
	left float64
	at   time.Time // of left
}

func newGuard() *guard {
	return &guard{
		addresses: map[netip.Addr]*bucket{}, accounts: map[string]*bucket{}, known: map[visit]time.Time{},
	}
}

// fill adds what has come since.
func (b *bucket) fill(now time.Time, burst int, every time.Duration) {
	b.left = min(float64(burst), b.left+float64(now.Sub(b.at))/float64(every))
	b.at = now
}

// missing is how long until there is a try.
func (b *bucket) missing(every time.Duration) time.Duration {
	if b.left >= 1 {
		return 0
	}
	return time.Duration((1 - b.left) * float64(every))
}

// take takes a try before it is known whether it is right, so that many at once are
// no way round. 0: it was taken; else how long there is none.
func (g *guard) take(v visit, now time.Time) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	address, account, wait := g.look(v, now)
	if wait > 0 {
		return wait
	}
	address.left--
	if account != nil {
		account.left--
	}
	return 0
}

// wait is what take would return, without taking.
func (g *guard) wait(v visit, now time.Time) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	_, _, wait := g.look(v, now)
	return wait
}

// look gives the buckets that count for a try; account is nil where it has been in
// from this address. The caller holds mu.
func (g *guard) look(v visit, now time.Time) (address, account *bucket, wait time.Duration) {
	address = room(g.addresses, v.from, addressBurst, addressEvery, now)
	wait = address.missing(addressEvery)
	if at, known := g.known[v]; known && now.Sub(at) < knownFor {
		return address, nil, wait
	}
	account = room(g.accounts, v.name, accountBurst, accountEvery, now)
	return address, account, max(wait, account.missing(accountEvery))
}

// giveBack gives back what take took: the try was right, or was not looked at.
func (g *guard) giveBack(v visit, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	address, account, _ := g.look(v, now)
	address.left = min(addressBurst, address.left+1)
	if account != nil {
		account.left = min(accountBurst, account.left+1)
	}
}

// welcome remembers that somebody came in from an address.
func (g *guard) welcome(v visit, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, known := g.known[v]; !known && len(g.known) >= maxBuckets {
		for old, at := range g.known {
			if now.Sub(at) > knownFor || len(g.known) >= maxBuckets {
				delete(g.known, old)
			}
		}
	}
	g.known[v] = now
}

// room gives the bucket of a key, and makes room for it by forgetting those that are
// full again.
func room[K comparable](m map[K]*bucket, k K, burst int, every time.Duration, now time.Time) *bucket {
	if b := m[k]; b != nil {
		b.fill(now, burst, every)
		return b
	}
	if len(m) >= maxBuckets {
		for old, b := range m {
			if b.fill(now, burst, every); b.left >= float64(burst) || len(m) >= maxBuckets {
				delete(m, old)
			}
		}
	}
	b := &bucket{left: float64(burst), at: now}
	m[k] = b
	return b
}

// visitOf gives what counts of a try. Names that no account can have count as one.
func visitOf(at Attempt) visit {
	v := visit{name: at.User}
	if len(v.name) > longestName {
		v.name = ""
	}
	if ip, ok := IP(at.From); ok {
		v.from = Household(ip)
	}
	return v
}

// IP gives the IP address of the other end, if it has one.
func IP(a net.Addr) (netip.Addr, bool) {
	switch t := a.(type) {
	case nil:
		return netip.Addr{}, false
	case *net.TCPAddr:
		ip, ok := netip.AddrFromSlice(t.IP)
		return ip.Unmap().WithZone(""), ok
	}
	p, err := netip.ParseAddrPort(a.String())
	return p.Addr().Unmap().WithZone(""), err == nil
}

// Household gives what counts as one address: of IPv6, whose users have 2^64 of them,
// the first half.
func Household(ip netip.Addr) netip.Addr {
	if ip.Is6() {
		p, _ := ip.Prefix(64) // cannot fail: 64 bits fit
		return p.Addr()
	}
	return ip
}
