package dashboard

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"sync"
	"time"

	"camqtt/internal/access"
)

const (
	sessionIdle    = 24 * time.Hour      // without a request or an open connection
	sessionLife    = 30 * 24 * time.Hour // whatever happens; OWASP calls it the absolute timeout
	maxSessions    = 1000
	maxPerAccount  = 50
	plainCookie    = "camqtt"        // over plain http, where browsers refuse the other one
	secureCookie   = "__Host-camqtt" // RFC 6265bis section 4.1.3.2: from this host, over TLS, and nobody else's
	secretBytes    = 32
	maxCookieBytes = 64
)

// mark is how a secret is kept. Of 256 random bits nothing is learnt from its SHA-256,
// nor from how long looking it up takes.
type mark [sha256.Size]byte

// newSecret makes what only its owner and we know.
func newSecret() (text string, kept mark) {
	var b [secretBytes]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand
	text = base64.RawURLEncoding.EncodeToString(b[:])
	return text, sha256.Sum256([]byte(text))
}

// session is one browser in which somebody has logged in.
type session struct {
	id  mark
	who access.Principal
	// ctx is done when he logs out, when his account has gone or changed, or when the
	// session has lived for long enough. What he has open ends with it.
	ctx context.Context
	end context.CancelFunc

	// Of sessions.mu.
	used time.Time
	open int // requests and WebSockets under way: while there are any it is in use
}

// sessions are in memory only: a restart logs everybody out, and there is no file from
// which a session could be stolen.
type sessions struct {
	access Access

	mu      sync.Mutex
	all     map[mark]*session
	tickets map[mark]*ticket
}

func newSessions(a Access) *sessions {
	return &sessions{access: a, all: map[mark]*session{}, tickets: map[mark]*ticket{}}
}

// begin opens a session and returns what its cookie says. It is never one that a
// browser has brought along, so nobody can be given a session that another knows. Who
// has too many loses the one that was unused for longest.
func (s *sessions) begin(p access.Principal) string {
	text, id := newSecret()
	// Bind takes a lock under which it may call nothing of ours; so not under mu.
	life, stop := context.WithTimeout(context.Background(), sessionLife)
	ctx, cancel := s.access.Bind(life, p)
	one := &session{id: id, who: p, ctx: ctx, used: time.Now(), end: func() { cancel(); stop() }}
	for _, old := range s.add(one) {
		old.end()
	}
	context.AfterFunc(ctx, func() { s.forget(one) })
	return text
}

// add keeps a session and returns those that have to go.
func (s *sessions) add(one *session) (out []*session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	drop := func(x *session) {
		delete(s.all, x.id)
		out = append(out, x)
	}
	mine := 0
	for _, x := range s.all {
		if x.stale(now) {
			drop(x)
		} else if x.who.Name == one.who.Name {
			mine++
		}
	}
	if mine >= maxPerAccount {
		drop(s.oldest(func(x *session) bool { return x.who.Name == one.who.Name }))
	} else if len(s.all) >= maxSessions {
		drop(s.oldest(func(*session) bool { return true }))
	}
	s.all[one.id] = one
	return out
}

// stale reports whether nobody has used a session for too long. The caller holds mu.
func (x *session) stale(now time.Time) bool { return x.open == 0 && now.Sub(x.used) > sessionIdle }

// oldest finds the session that was unused for longest, among some that there are; one
// with something open only when all have. The caller holds mu.
func (s *sessions) oldest(among func(*session) bool) (found *session) {
	for _, x := range s.all {
		switch {
		case !among(x):
		case found == nil, x.open == 0 && found.open > 0, (x.open == 0) == (found.open == 0) && x.used.Before(found.used):
			found = x
		}
	}
	return found
}

func (s *sessions) forget(x *session) {
	x.end() // frees the timer and the account's hold where it was not that which ended it
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, x.id)
	for m, t := range s.tickets {
		if t.of == x {
			delete(s.tickets, m)
		}
	}
}

// session finds that of a request; nil when there is none. Over TLS only the cookie
// counts that nobody else can set: not a page on another port or without TLS.
func (d *Dashboard) session(r *http.Request) *session {
	name := plainCookie
	if d.proxies.encrypted(r) {
		name = secureCookie
	}
	c, err := r.Cookie(name)
	if err != nil || len(c.Value) > maxCookieBytes {
		return nil
	}
	return d.sessions.find(sha256.Sum256([]byte(c.Value)))
}

// find returns the session of an id, if it has not ended.
func (s *sessions) find(id mark) *session {
	s.mu.Lock()
	x := s.all[id]
	dead := x != nil && x.stale(time.Now())
	if x != nil && !dead {
		x.used = time.Now()
	}
	s.mu.Unlock()
	switch {
	case x == nil:
		return nil
	case dead:
		x.end()
		return nil
	case x.ctx.Err() != nil: // what it ends has not come round to it yet
		return nil
	}
	return x
}

// hold says that a session is in use until release is called, and binds a context to
// it.
func (s *sessions) hold(ctx context.Context, x *session) (bound context.Context, release func()) {
	bound, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(x.ctx, cancel)
	s.count(x, 1)
	return bound, func() {
		s.count(x, -1)
		stop()
		cancel()
	}
}

func (s *sessions) count(x *session, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x.open += n
	x.used = time.Now()
}

// endAll logs everybody out.
func (s *sessions) endAll() {
	s.mu.Lock()
	all := make([]*session, 0, len(s.all))
	for _, x := range s.all {
		all = append(all, x)
	}
	s.mu.Unlock()
	for _, x := range all {
		x.end()
	}
}

// cookie is that of a session; "" takes it away.
func (d *Dashboard) cookie(r *http.Request, value string) *http.Cookie {
	c := &http.Cookie{Name: plainCookie, Value: value, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode}
	if d.proxies.encrypted(r) {
		c.Name, c.Secure = secureCookie, true
		if d.embed.any() { // browsers send no strict cookie from within another site's page
			c.SameSite, c.Partitioned = http.SameSiteNoneMode, true
		}
	}
	if value == "" {
		c.MaxAge = -1
	}
	return c
}
