package access

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"time"

	"camqtt/internal/clientip"
)

// Attempt is what a client gives to log in.
type Attempt struct {
	User   string
	Secret string   // a password or a token; a token is enough without User
	From   net.Addr // where he comes from
	Web    bool     // by HTTP, where a machine may stand before the one that asks
	// Device is what tells one program or browser from others of the account, such as an
	// MQTT client identifier; "" is not known. A device from which the account has logged
	// in keeps tries of its own.
	Device string
}

// What Identify returns, beside [Slow].
var (
	// ErrWrong is a name or a secret that is wrong; which of them is not said.
	ErrWrong = errors.New("the user name or the password is wrong")
	// ErrNone is the error of an attempt without credentials where they are needed.
	ErrNone = errors.New("an account is needed")
)

// Slow is a try that was not looked at, because there were too many wrong ones.
type Slow struct {
	After time.Duration // until another one will be
}

// Error says how long to wait.
func (s *Slow) Error() string {
	return fmt.Sprintf("too many wrong passwords: try again in %s", max(time.Second, s.After.Round(time.Second)))
}

// Identify finds the account of an attempt. Its errors are [ErrWrong], [ErrNone], [*Slow] and
// that of ctx. It takes a microsecond for tokens and for passwords that were right
// before, and some ten milliseconds and a turn in line for others; so it must not be
// called while another client waits.
func (a *Accounts) Identify(ctx context.Context, at Attempt) (Principal, error) {
	if at.From != nil && at.From.Network() == "pipe" {
		return Principal{Role: Hub}, nil
	}
	s := a.now.Load()
	if len(s.byName) > 0 && (at.User != "" || at.Secret != "") {
		return a.byAccount(ctx, s, at)
	}
	return a.withoutAccount(at, len(s.byName) > 0)
}

func (a *Accounts) withoutAccount(at Attempt, accounts bool) (Principal, error) {
	near := at.From != nil && at.From.Network() == "unix"
	if ip, ok := clientip.Of(at.From); ok && ip.IsLoopback() {
		near = true
	}
	if at.Web && accounts {
		near = false
	}
	switch {
	case a.anonymous == AnonymousAll, near && a.anonymous != AnonymousNever:
		return Principal{Role: Anyone, free: at.Web && a.anonymous == AnonymousLoopback}, nil
	case a.anonymous == AnonymousRead:
		return Principal{Role: Reader}, nil
	}
	return Principal{}, ErrNone
}

func (a *Accounts) byAccount(ctx context.Context, s *state, at Attempt) (Principal, error) {
	sum := sha256.Sum256([]byte(at.Secret))
	e := s.byName[at.User]
	if at.User == "" {
		e = s.byToken[sum] // of 256 random bits nothing can be learnt from how long this takes
	}
	if e != nil && e.secret.isToken(&sum) {
		return e.principal(), nil
	}
	right, err := a.checker.compare(ctx, e, at)
	a.logLimited(at, right, err)
	switch {
	case err != nil:
		return Principal{}, err
	case !right:
		return Principal{}, ErrWrong
	}
	return e.principal(), nil
}

// logLimited logs what the limit on wrong tries does to an attempt.
func (a *Accounts) logLimited(at Attempt, right bool, err error) {
	var slow *Slow
	v := sourceOf(at)
	switch {
	case errors.As(err, &slow):
		a.often.Warn("login not tried, too many wrong ones: accounts and devices that logged in from this address before have tries of their own",
			"from", v.from.String(), "after", slow.After.Round(time.Second).String())
	case right && a.checker.guard.limited(v.from, time.Now()):
		a.often.Warn("login accepted at an address with too many wrong ones: the account logged in from there before",
			"user", at.User, "from", v.from.String())
	}
}

// Guess asks for a try of a secret that is no account's, such as an invitation's. It
// counts like a wrong password from its address unless right is called; the error is
// [*Slow].
func (a *Accounts) Guess(from net.Addr) (right func(), err error) {
	key, g := groupOf(from), a.checker.guard
	if wait := g.takeAddress(key, time.Now()); wait > 0 {
		return nil, &Slow{After: wait}
	}
	return func() { g.refundAddress(key, time.Now()) }, nil
}

// Hashes returns how many passwords were hashed so far, for figures.
func (a *Accounts) Hashes() int64 { return a.checker.runs.Load() }
