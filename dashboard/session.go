package dashboard

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"camqtt/internal/access"
)

const (
	sessionTime    = 12 * time.Hour      // from its last renewal
	renewAfter     = time.Hour           // a request renews a session that was not renewed for so long
	sessionLife    = 30 * 24 * time.Hour // whatever happens; OWASP calls it the absolute timeout
	maxSessions    = 1000
	maxPerAccount  = 50
	plainCookie    = "camqtt"        // over plain http, where browsers refuse the other one
	secureCookie   = "__Host-camqtt" // RFC 6265bis section 4.1.3.2: from this host, over TLS, and nobody else's
	secretBytes    = 32
	maxCookieBytes = 1024
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
	id   mark
	who  access.Principal
	born time.Time
	// ctx is done when he logs out, when his account has gone or changed, or when the
	// session has lived for long enough. What he has open ends with it.
	ctx context.Context
	end context.CancelFunc

	// Of sessions.mu.
	token sessionToken // the one that runs out last
	timer *time.Timer  // ends it then
	used  time.Time
	open  int // requests and WebSockets under way
}

// sessions are the browsers that are logged in. What a browser shows is signed and good by
// itself, so a restart logs nobody out; here is what it has open, and which sessions were
// ended before their time.
type sessions struct {
	access Access
	key    *SessionKey
	log    *slog.Logger

	mu      sync.Mutex
	all     map[mark]*session
	ended   *endedSessions
	closing bool // the program ends, and the sessions go on
}

func newSessions(o Options) *sessions {
	s := &sessions{access: o.Access, key: o.SessionKey, log: o.Log, all: map[mark]*session{}}
	if s.key == nil {
		s.key = newSessionKey()
	}
	var err error
	if s.ended, err = openEndedSessions(o.EndedSessions, time.Now()); err != nil {
		s.log.Warn("sessions ended", "err", err)
	}
	return s
}

// begin opens a session and returns what its cookie says. It is never one that a
// browser has brought along, so nobody can be given a session that another knows. Who
// has too many loses the one that was unused for longest.
func (s *sessions) begin(p access.Principal) string {
	id := make([]byte, secretBytes)
	_, _ = rand.Read(id) // never fails: crypto/rand
	now := time.Now()
	t := sessionToken{ID: id, Name: p.Name, Stamp: p.Stamp(), Born: now.Unix(), Until: now.Add(sessionTime).Unix()}
	s.resume(t, p)
	return s.key.seal(t)
}

// resume makes the session of a token that is in force; nil when it has just ended.
func (s *sessions) resume(t sessionToken, p access.Principal) *session {
	// Bind takes a lock under which it may call nothing of ours; so not under mu.
	ctx, cancel := s.access.Bind(context.Background(), p)
	one := &session{id: t.mark(), who: p, born: time.Unix(t.Born, 0), ctx: ctx, end: cancel, token: t, used: time.Now()}
	kept, out := s.add(one)
	if out != nil {
		s.finish(out)
	}
	if kept != one {
		cancel()
		return kept
	}
	context.AfterFunc(ctx, func() { s.finish(one) })
	return one
}

// add keeps a session, unless it is kept already or has ended, and returns one that has to
// go for it.
func (s *sessions) add(one *session) (kept, out *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.all[one.id]; old != nil || s.ended.has(one.token) {
		return old, nil
	}
	mine := 0
	for _, x := range s.all {
		if x.who.Name == one.who.Name {
			mine++
		}
	}
	if mine >= maxPerAccount {
		out = s.oldest(func(x *session) bool { return x.who.Name == one.who.Name })
	} else if len(s.all) >= maxSessions {
		out = s.oldest(func(*session) bool { return true })
	}
	one.timer = time.AfterFunc(time.Until(time.Unix(one.token.Until, 0)), one.end)
	s.all[one.id] = one
	return one, out
}

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

// finish ends a session for good, also after a restart. What is out of time by itself,
// and what only ends with the program, need not be remembered.
func (s *sessions) finish(x *session) {
	x.end()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all[x.id] != x {
		return
	}
	delete(s.all, x.id)
	x.timer.Stop()
	now := time.Now()
	if s.closing || !now.Before(time.Unix(x.token.Until, 0)) {
		return
	}
	// A cookie renewed before a restart may be good for longer than the one seen since.
	if err := s.ended.add(x.id, x.renewed(now), now); err != nil {
		s.log.Error("session's end not kept", "user", x.who.Name, "err", err)
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
	return d.sessions.find(c.Value)
}

// find returns the session of a cookie, if it has not ended and its account is what it was
// at login.
func (s *sessions) find(cookie string) *session {
	t, err := s.key.open(cookie, time.Now())
	if err != nil {
		return nil
	}
	p, known := s.access.Lookup(t.Name)
	if !known || p.Stamp() != t.Stamp {
		return nil
	}
	s.mu.Lock()
	ended := s.ended.has(t)
	x := s.all[t.mark()]
	if x != nil {
		x.used = time.Now()
	}
	s.mu.Unlock()
	if ended {
		return nil
	}
	if x == nil {
		x = s.resume(t, p)
	}
	if x == nil || x.ctx.Err() != nil { // what it ends has not come round to it yet
		return nil
	}
	return x
}

// renewed is until when a cookie of the session is good that is renewed now. None that was
// renewed before is good for longer.
func (x *session) renewed(now time.Time) time.Time {
	until := now.Add(sessionTime)
	if last := x.born.Add(sessionLife); until.After(last) {
		return last
	}
	return until
}

// renew returns what the cookie of a session is to say from now on; "" is as before.
func (s *sessions) renew(x *session) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	until := x.renewed(now)
	if until.Sub(time.Unix(x.token.Until, 0)) < renewAfter || x.ctx.Err() != nil {
		return ""
	}
	x.token.Until = until.Unix()
	x.timer.Reset(until.Sub(now))
	return s.key.seal(x.token)
}

// renewCookie lets a browser that is in use stay logged in.
func (d *Dashboard) renewCookie(w http.ResponseWriter, r *http.Request, x *session) {
	if x == nil {
		return
	}
	if text := d.sessions.renew(x); text != "" {
		http.SetCookie(w, d.cookie(r, text))
	}
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

// endAll ends what is open in sessions. The sessions themselves go on.
func (s *sessions) endAll() {
	s.mu.Lock()
	s.closing = true
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
