// Package session keeps browsers logged in: signed cookies, the sessions that are open,
// and those that were ended early. It survives restarts and knows no HTTP handlers.
package session

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"log/slog"
	"sync"
	"time"

	"camqtt/internal/access"
)

const (
	idleTimeout   = 12 * time.Hour      // from the last renewal
	renewAfter    = time.Hour           // a request renews a session that was not renewed for so long
	maxLife       = 30 * 24 * time.Hour // in any case; OWASP calls it the absolute timeout
	maxSessions   = 1000
	maxPerAccount = 50
	secretBytes   = 32
)

// Accounts looks up the accounts of sessions. [access.Accounts] does.
type Accounts interface {
	// Bind returns a context that is also done when p's account was removed or changed.
	Bind(ctx context.Context, p access.Principal) (context.Context, context.CancelFunc)
	// Lookup returns an account without asking for its secret.
	Lookup(name string) (access.Principal, bool)
}

// Options says where sessions come from. Accounts and Log are needed.
type Options struct {
	Accounts Accounts
	// Key signs sessions; nil is a key of this process, with which they end.
	Key *Key
	// EndedFile is the file of sessions that were ended early; "" keeps none.
	EndedFile string
	Log       *slog.Logger
}

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

// Session is one browser in which an account has logged in.
type Session struct {
	id   mark
	who  access.Principal
	born time.Time
	// ctx is done after logging out, when the account was removed or changed, or when the
	// session has reached its greatest age. All that is open in it ends with it.
	ctx context.Context
	end context.CancelFunc

	// Of Store.mu.
	token token       // the one that runs out last
	timer *time.Timer // ends it then
	used  time.Time
	open  int // requests and WebSockets under way
}

// Principal is the account that has logged in.
func (x *Session) Principal() access.Principal { return x.who }

// Context is done when the session has ended.
func (x *Session) Context() context.Context { return x.ctx }

// Store has the sessions. A cookie is signed and valid by itself, so sessions survive a
// restart. The store knows what is open in them, and which ones were ended early.
type Store struct {
	access Accounts
	key    *Key
	log    *slog.Logger

	mu      sync.Mutex
	all     map[mark]*Session
	ended   *endedSessions
	closing bool // the program ends, and the sessions go on
}

// New returns the sessions, none of which is open yet.
func New(o Options) *Store {
	s := &Store{access: o.Accounts, key: o.Key, log: o.Log, all: map[mark]*Session{}}
	if s.key == nil {
		s.key = newKey()
	}
	var err error
	if s.ended, err = openEndedSessions(o.EndedFile, time.Now()); err != nil {
		s.log.Warn("sessions ended", "err", err)
	}
	return s
}

// Begin opens a session and returns its cookie. The session is always new, so that an
// attacker cannot make a user log in to a session that the attacker knows. An account with
// too many sessions loses the one that was not used for longest.
func (s *Store) Begin(p access.Principal) string {
	id := make([]byte, secretBytes)
	_, _ = rand.Read(id) // never fails: crypto/rand
	now := time.Now()
	t := token{ID: id, Name: p.Name, Stamp: p.Stamp(), Born: now.Unix(), Until: now.Add(idleTimeout).Unix()}
	s.resume(t, p)
	return s.key.seal(t)
}

// resume makes the session of a token that is in force; nil when it has just ended.
func (s *Store) resume(t token, p access.Principal) *Session {
	// Bind takes a lock under which it may call nothing of ours; so not under mu.
	ctx, cancel := s.access.Bind(context.Background(), p)
	one := &Session{id: t.mark(), who: p, born: time.Unix(t.Born, 0), ctx: ctx, end: cancel, token: t, used: time.Now()}
	kept, out := s.add(one)
	if out != nil {
		s.Finish(out)
	}
	if kept != one {
		cancel()
		return kept
	}
	context.AfterFunc(ctx, func() { s.Finish(one) })
	return one
}

// add keeps a session, unless it is kept already or has ended, and returns one that has to
// go for it.
func (s *Store) add(one *Session) (kept, out *Session) {
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
		out = s.oldest(func(x *Session) bool { return x.who.Name == one.who.Name })
	} else if len(s.all) >= maxSessions {
		out = s.oldest(func(*Session) bool { return true })
	}
	one.timer = time.AfterFunc(time.Until(time.Unix(one.token.Until, 0)), one.end)
	s.all[one.id] = one
	return one, out
}

// oldest finds the session that was unused for longest, among some that there are; one
// with something open only when all have. The caller holds mu.
func (s *Store) oldest(among func(*Session) bool) (found *Session) {
	for _, x := range s.all {
		switch {
		case !among(x):
		case found == nil, x.open == 0 && found.open > 0, (x.open == 0) == (found.open == 0) && x.used.Before(found.used):
			found = x
		}
	}
	return found
}

// Finish ends a session for good, also after a restart. What is out of time by itself,
// and what only ends with the program, need not be remembered.
func (s *Store) Finish(x *Session) {
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

// Find returns the session of a cookie, if it has not ended and its account is what it was
// at login.
func (s *Store) Find(cookie string) *Session {
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
func (x *Session) renewed(now time.Time) time.Time {
	until := now.Add(idleTimeout)
	if last := x.born.Add(maxLife); until.After(last) {
		return last
	}
	return until
}

// Renew returns what the cookie of a session is to say from now on; "" is as before.
func (s *Store) Renew(x *Session) string {
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

// Hold says that a session is in use until release is called, and binds a context to
// it.
func (s *Store) Hold(ctx context.Context, x *Session) (bound context.Context, release func()) {
	bound, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(x.ctx, cancel)
	s.count(x, 1)
	return bound, func() {
		s.count(x, -1)
		stop()
		cancel()
	}
}

func (s *Store) count(x *Session, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x.open += n
	x.used = time.Now()
}

// EndAll ends what is open in sessions. The sessions themselves go on.
func (s *Store) EndAll() {
	s.mu.Lock()
	s.closing = true
	all := make([]*Session, 0, len(s.all))
	for _, x := range s.all {
		all = append(all, x)
	}
	s.mu.Unlock()
	for _, x := range all {
		x.end()
	}
}
