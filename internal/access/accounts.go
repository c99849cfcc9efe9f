package access

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"camqtt/internal/ratelog"
)

// Who comes in without an account: values of [Options].Anonymous.
const (
	AnonymousLoopback = "loopback"
	AnonymousNever    = "never"
	AnonymousRead     = "read"
	AnonymousAll      = "all"
)

// Options says what accounts there are. The zero value has none and lets in who comes
// from this machine.
type Options struct {
	// File is the accounts file; it need not exist. "" is no accounts, ever.
	File string
	// Anonymous says who comes in without an account: "loopback" (the default) who
	// comes from this machine, "never" only parts of this program, "read" moreover
	// everybody, who then may only look, "all" everybody, who may do everything. Over
	// HTTP, "loopback" counts only while there are no accounts at all: a proxy on this
	// machine makes the whole world come from it.
	Anonymous string
	// Every is the pause between looks at the file; 0 is 300 ms.
	Every time.Duration
	Log   *slog.Logger // nil: nothing is logged
}

// Accounts identifies users. Make them with [Open]. The methods may be called
// from any goroutine, also before and without Serve, which only notices changes.
type Accounts struct {
	file, anonymous string
	every           time.Duration
	log             *slog.Logger
	often           *ratelog.Logger // what clients can cause
	checker         *checker
	now             atomic.Pointer[state]

	mu      sync.Mutex
	seen    fs.FileInfo // the file that was read last, good or bad; nil: there was none
	trouble string      // why it could not be read; "" when it could
	calls   map[*func()]struct{}
	holders map[*holder]struct{}
}

// state is what a file says. It is never written to.
type state struct {
	byName  map[string]*entry
	byToken map[[32]byte]*entry
}

// holder is who is to be told when he is no longer who he was.
type holder struct {
	who    Principal
	cancel context.CancelFunc
}

// Open reads the accounts. A file that is damaged, or that others on this machine can
// read, is an error: no accounts would be more than it allows.
func Open(o Options) (*Accounts, error) {
	if o.Anonymous == "" {
		o.Anonymous = AnonymousLoopback
	}
	switch o.Anonymous {
	case AnonymousLoopback, AnonymousNever, AnonymousRead, AnonymousAll:
	default:
		return nil, fmt.Errorf("anonymous is %q, wanted loopback, read, all or never", o.Anonymous)
	}
	if o.Every == 0 {
		o.Every = 300 * time.Millisecond
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	a := &Accounts{
		file: o.File, anonymous: o.Anonymous, every: o.Every, log: o.Log.With("part", "accounts"),
		often:   ratelog.New(o.Log.With("part", "accounts"), time.Minute),
		checker: newChecker(),
		calls:   map[*func()]struct{}{}, holders: map[*holder]struct{}{},
	}
	a.now.Store(&state{})
	if err := a.Reload(); err != nil {
		return nil, err
	}
	return a, nil
}

// Exist reports whether there is any account.
func (a *Accounts) Exist() bool { return len(a.now.Load().byName) > 0 }

// Named reports whether there is an account of a name.
func (a *Accounts) Named(name string) bool {
	_, ok := a.now.Load().byName[name]
	return ok
}

// Lookup gives who an account is, without asking for its secret: for what has seen it
// before, such as a session, and has kept its [Principal.Stamp].
func (a *Accounts) Lookup(name string) (Principal, bool) {
	e, ok := a.now.Load().byName[name]
	if !ok {
		return Principal{}, false
	}
	return e.principal(), true
}

// Serve notices changes of the file until ctx is done, and keeps beside it where accounts
// have logged in. A file that cannot be read, or
// has gone, changes nothing: what was good stays in force, and the log says so.
func (a *Accounts) Serve(ctx context.Context) error {
	if a.file == "" {
		<-ctx.Done()
		return nil
	}
	logins := &logins{
		file: filepath.Join(filepath.Dir(a.file), loginsName), guard: a.checker.guard, exists: a.Named,
	}
	if err := logins.load(time.Now()); err != nil {
		a.log.Warn("earlier logins not known: accounts have no tries of their own before they log in again", "err", err)
	}
	save := func(force bool) {
		if err := logins.save(time.Now(), force); err != nil {
			a.often.Warn("logins not saved", "err", err)
		}
	}
	tick := time.NewTicker(a.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			save(true)
			return nil
		case <-tick.C:
			a.look()
			save(false)
		}
	}
}

// look reads the file if it is another one than that read last, or could not be read.
func (a *Accounts) look() {
	st, err := os.Stat(a.file)
	a.mu.Lock()
	old, before := a.seen, a.trouble
	a.mu.Unlock()
	if err != nil && old == nil && before == "" && errors.Is(err, fs.ErrNotExist) {
		return // there never was one
	}
	if err == nil && before == "" && old != nil && os.SameFile(old, st) && old.ModTime().Equal(st.ModTime()) &&
		old.Size() == st.Size() && old.Mode() == st.Mode() {
		return
	}
	if err := a.Reload(); err != nil && err.Error() != before {
		a.log.Error("accounts file not read, keeping the previous accounts", "err", err)
	}
}

// Reload reads the file now. No file is no accounts, unless there was one before.
func (a *Accounts) Reload() error {
	if a.file == "" {
		return nil
	}
	gone, err := a.reread()
	for _, f := range gone {
		f()
	}
	return err
}

// reread puts what the file says in force, and returns what is to be called then.
func (a *Accounts) reread() (after []func(), err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	all, _, st, err := read(a.file)
	a.trouble = ""
	switch {
	case errors.Is(err, fs.ErrNotExist) && a.seen == nil:
		return nil, nil
	case err != nil:
		a.trouble = err.Error()
		return nil, err
	}
	a.seen = st
	before := a.now.Load()
	next := &state{byName: make(map[string]*entry, len(all)), byToken: map[[32]byte]*entry{}}
	for _, e := range all {
		if e.same(before.byName[e.Name]) {
			e = before.byName[e.Name]
		}
		next.byName[e.Name] = e
		if e.secret.token {
			next.byToken[e.secret.sum] = e
		}
	}
	a.now.Store(next)
	a.log.Info("accounts read", "accounts", len(next.byName))
	if names := Alike(accountsOf(all)); len(names) > 0 {
		a.log.Warn("accounts differ only by upper and lower case", "accounts", strings.Join(names, " "))
	}
	for h := range a.holders {
		if !a.Current(h.who) {
			after = append(after, h.cancel)
			delete(a.holders, h)
		}
	}
	for f := range a.calls {
		after = append(after, *f)
	}
	return after, nil
}

// Current reports whether somebody is still who he was when he came in: whether his
// account has neither gone nor changed. Who has none always is, but for who came by
// HTTP because there was no account at all, when there is one.
func (a *Accounts) Current(p Principal) bool {
	if p.Name == "" {
		return !p.free || !a.Exist()
	}
	return p.entry != nil && a.now.Load().byName[p.Name] == p.entry
}

// OnChange has f called after every change until stop is called. f must be quick.
func (a *Accounts) OnChange(f func()) (stop func()) {
	k := &f
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls[k] = struct{}{}
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.calls, k)
	}
}

// Bind returns a context that is done when ctx is or when p is no longer
// [Accounts.Current]. Its cancel must be called.
func (a *Accounts) Bind(ctx context.Context, p Principal) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	h := &holder{who: p, cancel: cancel}
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.Current(p) {
		cancel()
		return ctx, cancel
	}
	a.holders[h] = struct{}{}
	return ctx, func() {
		cancel()
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.holders, h)
	}
}
