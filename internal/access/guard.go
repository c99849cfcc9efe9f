package access

import (
	"crypto/sha256"
	"net"
	"net/netip"
	"sync"
	"time"

	"camqtt/internal/clientip"
)

// How many wrong tries are looked at. An address has five at once and five per minute.
// An account or device that has logged in from an address has as many of its own there,
// so that wrong tries at the same address do not lock it out. An account is limited over
// all other addresses, so that many addresses cannot guess together.
const (
	addressBurst = 5
	addressEvery = 12 * time.Second
	accountBurst = 20
	accountEvery = 30 * time.Second

	maxBuckets  = 16384
	maxDevices  = 8  // remembered of one account at one address
	deviceBytes = 16 // of the hash of a device
	knownFor    = 30 * 24 * time.Hour
	longestName = 64 // of an account; see nameForm
)

// guard limits wrong tries of passwords and other secrets.
type guard struct {
	mu        sync.Mutex
	addresses map[netip.Addr]*bucket
	accounts  map[string]*bucket
	known     map[accountAt]*knownAccount
	changed   bool // known has entries that were not saved
}

// accountAt is an account at an address.
type accountAt struct {
	from netip.Addr
	name string
}

// source is where a try comes from: an account at an address, with a device.
type source struct {
	accountAt
	device string // "": it does not say which
}

// knownAccount is an account that has logged in from an address.
type knownAccount struct {
	at      time.Time // of the last login
	saved   time.Time // at, as it was saved
	tries   bucket
	devices map[string]*knownDevice
}

// knownDevice is a device from which an account has logged in at an address.
type knownDevice struct {
	at    time.Time
	tries bucket
}

// bucket is a token bucket of tries. That of golang.org/x/time/rate cannot give a token
// back later, which a right password needs.
type bucket struct {
	left float64
	at   time.Time // of left
}

func newGuard() *guard {
	return &guard{
		addresses: map[netip.Addr]*bucket{}, accounts: map[string]*bucket{}, known: map[accountAt]*knownAccount{},
	}
}

// fullBucket is a bucket of an address or of what is known there.
func fullBucket(now time.Time) bucket { return bucket{left: addressBurst, at: now} }

// fill adds what has come since.
func (b *bucket) fill(now time.Time, burst int, every time.Duration) {
	b.left = min(float64(burst), b.left+float64(now.Sub(b.at))/float64(every))
	b.at = now
}

// wait is how long until there is a try.
func (b *bucket) wait(every time.Duration) time.Duration {
	if b.left >= 1 {
		return 0
	}
	return time.Duration((1 - b.left) * float64(every))
}

// take takes a try before it is known whether it is right, so that parallel tries do not
// exceed the limit. It returns 0, or how long there is no try left.
func (g *guard) take(v source, now time.Time) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	address, account, wait := g.buckets(v, now)
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
func (g *guard) wait(v source, now time.Time) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	_, _, wait := g.buckets(v, now)
	return wait
}

// buckets gives the buckets that count for a try. A device or account that has logged in
// from the address has its own instead of the address's, and account is nil then. The
// caller holds mu.
func (g *guard) buckets(v source, now time.Time) (address, account *bucket, wait time.Duration) {
	if own := g.own(v, now); own != nil {
		own.fill(now, addressBurst, addressEvery)
		return own, nil, own.wait(addressEvery)
	}
	address = bucketFor(g.addresses, v.from, addressBurst, addressEvery, now)
	account = bucketFor(g.accounts, v.name, accountBurst, accountEvery, now)
	return address, account, max(address.wait(addressEvery), account.wait(accountEvery))
}

// own gives the bucket that a device or account has of its own at an address; nil
// without one. The caller holds mu.
func (g *guard) own(v source, now time.Time) *bucket {
	k := g.known[v.accountAt]
	if k == nil || now.Sub(k.at) >= knownFor {
		return nil
	}
	if d := k.devices[v.device]; d != nil && now.Sub(d.at) < knownFor {
		return &d.tries
	}
	return &k.tries
}

// limited reports whether an address has no try left.
func (g *guard) limited(from netip.Addr, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	b := g.addresses[from]
	if b == nil {
		return false
	}
	b.fill(now, addressBurst, addressEvery)
	return b.wait(addressEvery) > 0
}

// refund gives back what take took: the try was right, or was not looked at.
func (g *guard) refund(v source, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	address, account, _ := g.buckets(v, now)
	address.left = min(addressBurst, address.left+1)
	if account != nil {
		account.left = min(accountBurst, account.left+1)
	}
}

// remember notes that an account has logged in from an address, and from which device.
func (g *guard) remember(v source, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	k := g.known[v.accountAt]
	if k == nil {
		g.evictKnown(now)
		k = &knownAccount{tries: fullBucket(now)}
		g.known[v.accountAt] = k
	}
	k.at = now
	fresh := v.device != "" && k.remember(v.device, now)
	g.changed = g.changed || fresh || now.Sub(k.saved) > loginsStale
}

// remember notes a device instead of the one that was not used for longest, and reports
// whether it is a new one.
func (k *knownAccount) remember(device string, now time.Time) bool {
	if d := k.devices[device]; d != nil {
		d.at = now
		return false
	}
	if k.devices == nil {
		k.devices = map[string]*knownDevice{}
	}
	if len(k.devices) >= maxDevices {
		oldest := ""
		for name, d := range k.devices {
			if oldest == "" || d.at.Before(k.devices[oldest].at) {
				oldest = name
			}
		}
		delete(k.devices, oldest)
	}
	k.devices[device] = &knownDevice{at: now, tries: fullBucket(now)}
	return true
}

// evictKnown forgets accounts that logged in too long ago, and others if that is not
// enough. The caller holds mu.
func (g *guard) evictKnown(now time.Time) {
	if len(g.known) < maxBuckets {
		return
	}
	for old, k := range g.known {
		if now.Sub(k.at) > knownFor || len(g.known) >= maxBuckets {
			delete(g.known, old)
		}
	}
}

// bucketFor returns the bucket of a key. It makes room by forgetting those that are full
// again.
func bucketFor[K comparable](m map[K]*bucket, k K, burst int, every time.Duration, now time.Time) *bucket {
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

// sourceOf returns the source of a try. All names that no account can have count as one.
func sourceOf(at Attempt) source {
	v := source{accountAt: accountAt{name: at.User}}
	if at.Device != "" {
		sum := sha256.Sum256([]byte(at.Device)) // of fixed length, and nothing that a dump could show
		v.device = string(sum[:deviceBytes])
	}
	if len(v.name) > longestName {
		v.name = ""
	}
	v.from = groupOf(at.From)
	return v
}

// takeAddress takes a try from an address alone. 0: it was taken; else how long there
// is none.
func (g *guard) takeAddress(from netip.Addr, now time.Time) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	b := bucketFor(g.addresses, from, addressBurst, addressEvery, now)
	if wait := b.wait(addressEvery); wait > 0 {
		return wait
	}
	b.left--
	return 0
}

// refundAddress gives back what takeAddress took.
func (g *guard) refundAddress(from netip.Addr, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	b := bucketFor(g.addresses, from, addressBurst, addressEvery, now)
	b.left = min(addressBurst, b.left+1)
}

// groupOf returns what counts as one address of a client; the zero Addr is that of all
// without an IP address.
func groupOf(a net.Addr) netip.Addr {
	ip, ok := clientip.Of(a)
	if !ok {
		return netip.Addr{}
	}
	return clientip.Group(ip)
}
