package push

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// Why a picture is not taken. Their texts are what boards are told: the same
// whether a camera is not known, a token is wrong, or an address is.
var (
	errRefused  = errors.New("refused: want the camera's id with its token, or its address")
	errGuesses  = errors.New("refused too often: wait a minute")
	errTooOften = errors.New("too many pictures: send fewer")
	errUnwanted = errors.New("not taken now: privacy is on, or the camera's node is not running or starts anew")
)

// What one address may get wrong, at once and then per second.
const (
	guessBurst = 10
	guessRate  = 1.0 / 6
	// How many addresses are remembered. When more come, one that has been quiet
	// is forgotten, or any.
	maxAddresses = 4096
	// Between two lines of the log about one address.
	sayEvery = time.Minute
)

// sender is a camera with what is known of its boards.
type sender struct {
	Camera
	sum  [sha256.Size]byte // of the token
	rate bucket
}

// stranger is what is remembered of an address that did something wrong.
type stranger struct {
	guesses bucket
	said    time.Time // when the log last told of it
}

// gate decides who may send for which camera.
type gate struct {
	mu      sync.Mutex
	byID    map[string]*sender
	nobody  [sha256.Size]byte // compared with where there is no camera
	strange map[netip.Addr]*stranger
}

func newGate(cameras []Camera) (*gate, error) {
	g := &gate{byID: map[string]*sender{}, strange: map[netip.Addr]*stranger{}}
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

// visit is what somebody who brings a picture says of it.
type visit struct {
	id, token string // "": not said
	from      netip.Addr
	at        time.Time
}

// admit finds the camera that a visit is for, or why there is none.
func (g *gate) admit(v visit) (*sender, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c, ok := g.match(v)
	if ok && c.Token == "" {
		return c, g.count(c, v.at) // nothing to guess: nobody else can send from there
	}
	st := g.stranger(v.from)
	if st != nil {
		st.guesses.drain(v.at, guessRate)
		if st.guesses.used+1 > guessBurst {
			return nil, errGuesses // right or wrong: else guessing could go on
		}
	}
	if ok {
		return c, g.count(c, v.at)
	}
	if st == nil {
		st = g.remember(v.from, v.at)
	}
	st.guesses.take(v.at, guessRate, guessBurst)
	return nil, errRefused
}

// match looks for the camera without counting anything. It compares a token
// whether or not there is such a camera, so that the time tells nothing.
func (g *gate) match(v visit) (*sender, bool) {
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

// count lets a camera's pictures through at the pace of a camera.
func (g *gate) count(c *sender, now time.Time) error {
	if !c.rate.take(now, pictureRate, pictureBurst) {
		return errTooOften
	}
	return nil
}

func (g *gate) stranger(a netip.Addr) *stranger { return g.strange[household(a)] }

// remember begins to remember an address.
func (g *gate) remember(a netip.Addr, now time.Time) *stranger {
	if len(g.strange) >= maxAddresses {
		g.forget(now)
	}
	st := &stranger{guesses: bucket{at: now}}
	g.strange[household(a)] = st
	return st
}

// forget makes room: of the addresses that have been quiet, or of any.
func (g *gate) forget(now time.Time) {
	for a, st := range g.strange {
		if st.guesses.drain(now, guessRate); st.guesses.used == 0 && now.Sub(st.said) >= sayEvery {
			delete(g.strange, a)
		}
	}
	for a := range g.strange { // a quarter at once, so that it is seldom
		if len(g.strange) < maxAddresses*3/4 {
			return
		}
		delete(g.strange, a)
	}
}

// worth reports whether something about an address is worth a line in the log
// again.
func (g *gate) worth(a netip.Addr, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	st := g.stranger(a)
	if st == nil {
		st = g.remember(a, now)
	}
	if now.Sub(st.said) < sayEvery {
		return false
	}
	st.said = now
	return true
}

// known is an id when it is that of a camera, else a word: what strangers send
// as an id may be a token.
func (g *gate) known(id string) string {
	if g.byID[id] != nil {
		return id
	}
	return "unknown"
}
