package push

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"camqtt/internal/clientip"
)

// What one address may get wrong, at once and then per second.
const (
	guessBurst = 10
	guessRate  = 1.0 / 6
	// How many addresses are remembered. When more come, one that has been quiet
	// is forgotten, or any.
	maxAddresses = 4096
	// Between two lines of the log about the same board and reason.
	sayEvery = time.Minute
	// Pictures of one camera that may come in at once: a board sends one after another.
	uploadsEach = 8
)

// sender is a camera with what is known of its boards.
type sender struct {
	Camera
	sum  [sha256.Size]byte // of the token
	rate bucket
	open int // pictures coming in
}

// gate decides who may send for which camera.
type gate struct {
	uploads int // pictures that may come in at once, of all cameras

	mu      sync.Mutex
	byID    map[string]*sender
	nobody  [sha256.Size]byte // compared with where there is no camera
	guesses map[netip.Addr]*bucket
	open    int // pictures coming in
}

func newGate(cameras []Camera, uploads int) (*gate, error) {
	g := &gate{uploads: uploads, byID: map[string]*sender{}, guesses: map[netip.Addr]*bucket{}}
	_, _ = rand.Read(g.nobody[:]) // never fails: crypto/rand
	for _, c := range cameras {
		switch {
		case c.ID == "" || g.byID[c.ID] != nil:
			return nil, fmt.Errorf("push: camera id %q: want one of its own", c.ID)
		case c.Deliver == nil:
			return nil, fmt.Errorf("push: camera %s: Deliver is needed", c.ID)
		case c.Token == "" && len(c.From) == 0:
			return nil, fmt.Errorf("push: camera %s: anybody could send for it: want a token or an address", c.ID)
		case c.Token != "" && !goodToken(c.Token):
			return nil, fmt.Errorf("push: camera %s: token of %d bytes: want %d to %d of A-Z a-z 0-9 . _ ~ -", c.ID, len(c.Token), leastToken, mostToken)
		}
		g.byID[c.ID] = &sender{Camera: c, sum: sha256.Sum256([]byte(c.Token))}
	}
	return g, nil
}

// goodToken reports whether a token survives in a path, a header and a line.
func goodToken(s string) bool {
	return len(s) >= leastToken && len(s) <= mostToken && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._~-", r))
	})
}

// credentials are what a board says of itself.
type credentials struct {
	id, token string // "": not said
	from      netip.Addr
	at        time.Time
}

// admit finds the camera that a picture is for, or why there is none. The caller calls
// leave when the picture has come in. Wrong guesses of others never keep out a board
// whose credentials are right.
func (g *gate) admit(c credentials) (*sender, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	s, ok := g.match(c)
	switch {
	case !ok && !g.guess(c):
		return nil, errGuesses
	case !ok:
		return nil, errRefused
	case s.open >= uploadsEach || g.open >= g.uploads:
		return s, errConnections
	case !s.rate.take(c.at, pictureRate, pictureBurst):
		return s, errTooOften
	}
	s.open++
	g.open++
	return s, nil
}

// leave makes room for another picture of a camera.
func (g *gate) leave(s *sender) {
	g.mu.Lock()
	defer g.mu.Unlock()
	s.open--
	g.open--
}

// match looks for the camera without counting anything. It compares a token
// whether or not there is such a camera, so that the time tells nothing.
func (g *gate) match(v credentials) (*sender, bool) {
	sum := sha256.Sum256([]byte(v.token))
	if v.id != "" {
		c, known := g.byID[v.id]
		want := g.nobody
		if known {
			want = c.sum
		}
		right := subtle.ConstantTimeCompare(sum[:], want[:]) == 1
		if !known {
			return nil, false
		}
		return c, (right || c.Token == "") && c.near(v.from)
	}
	var found *sender
	for _, c := range g.byID {
		right := subtle.ConstantTimeCompare(sum[:], c.sum[:]) == 1 || c.Token == ""
		if len(c.From) == 0 || !c.near(v.from) || !right {
			continue
		}
		if found != nil {
			return nil, false // two cameras at one address: only the id tells them apart
		}
		found = c
	}
	return found, found != nil
}

// near reports whether a camera's boards may be at an address.
func (s *sender) near(a netip.Addr) bool {
	for _, p := range s.From {
		if p.Contains(a) {
			return true
		}
	}
	return len(s.From) == 0
}

// guess counts a wrong guess. It reports false when there were too many from the
// address.
func (g *gate) guess(c credentials) bool {
	a := clientip.Group(c.from)
	b := g.guesses[a]
	if b == nil {
		if len(g.guesses) >= maxAddresses {
			g.forget(c.at)
		}
		b = &bucket{at: c.at}
		g.guesses[a] = b
	}
	return b.take(c.at, guessRate, guessBurst)
}

// forget makes room: of the addresses that have been quiet, or of any.
func (g *gate) forget(now time.Time) {
	for a, b := range g.guesses {
		if b.drain(now, guessRate); b.used == 0 {
			delete(g.guesses, a)
		}
	}
	for a := range g.guesses { // a quarter at once, so that it is seldom
		if len(g.guesses) < maxAddresses*3/4 {
			return
		}
		delete(g.guesses, a)
	}
}

// known is an id when it is that of a camera, else "": what strangers send as an id
// may be a token.
func (g *gate) known(id string) string {
	if g.byID[id] != nil {
		return id
	}
	return ""
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
