package link

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"camqtt/internal/wire"
)

// steady is how long a connection lasts that counts as good.
const steady = 2 * time.Second

// ErrDown is what Publish and Subscribe return while there is no connection.
var ErrDown = errors.New("not connected to the broker")

// Subscription is a topic filter and the greatest QoS wanted for it.
type Subscription struct {
	Filter string
	QoS    byte
	// Optional ones may be refused: the connection is used without them.
	Optional bool
}

// Options says where to connect and what to do with what arrives. URLs (or
// Dial), ClientID and Log are needed.
type Options struct {
	// URLs of one broker or of several that are one cluster: mqtt, mqtts, ws,
	// wss, or unix with a path. They are tried in turn. A user and a password
	// in a URL are used before Username and Password.
	URLs     []string
	ClientID string
	Username string
	Password string
	TLS      *tls.Config // for mqtts and wss; nil trusts the system's authorities

	Will          *wire.Message
	Subscriptions []Subscription
	// Receive gets every message, one at a time. It must not block.
	Receive func(wire.Message)
	// Up is called when every subscription has been acknowledged, Down when
	// such a connection has ended. They alternate and must not block.
	Up   func()
	Down func(error)

	// Dial replaces the network, for connections inside the process.
	Dial func(context.Context) (net.Conn, error)
	// OneShot makes Serve return the error of the first failure in place of
	// trying again: what a command at a prompt wants.
	OneShot bool

	KeepAlive  time.Duration // between pings on a quiet connection; 0 is 20 s
	Timeout    time.Duration // of connecting, and of a write of which no byte leaves; 0 is 10 s
	MinBackoff time.Duration // first pause between attempts; 0 is 1 s
	MaxBackoff time.Duration // 0 is 30 s
	Log        *slog.Logger
}

// Link is a connection that heals itself. Make one with [New].
type Link struct {
	opts Options

	mu       sync.Mutex
	session  *session                // nil while down
	filters  map[string]Subscription // what to subscribe to on every connect
	waiters  []chan struct{}         // closed when the link comes up
	connects int                     // sessions so far
}

// New checks the options and returns a link that is not connected.
func New(o Options) (*Link, error) {
	if o.Log == nil || o.ClientID == "" {
		return nil, errors.New("link: ClientID and Log are needed")
	}
	if o.Dial == nil {
		if len(o.URLs) == 0 {
			return nil, errors.New("link: a broker URL is needed, such as mqtt://127.0.0.1:1883")
		}
		for _, u := range o.URLs {
			if _, err := ParseURL(u); err != nil {
				return nil, err
			}
		}
	}
	o.KeepAlive = orDefault(o.KeepAlive, 20*time.Second)
	o.Timeout = orDefault(o.Timeout, 10*time.Second)
	o.MinBackoff = orDefault(o.MinBackoff, time.Second)
	o.MaxBackoff = orDefault(o.MaxBackoff, 30*time.Second)
	l := &Link{opts: o, filters: map[string]Subscription{}}
	for _, s := range o.Subscriptions {
		l.filters[s.Filter] = s
	}
	return l, nil
}

func orDefault(d, def time.Duration) time.Duration {
	if d == 0 {
		return def
	}
	return d
}

// Serve keeps the connection up until ctx is done; with OneShot it returns the
// first failure.
func (l *Link) Serve(ctx context.Context) error {
	pause := newBackoff(l.opts.MinBackoff, l.opts.MaxBackoff)
	for turn := 0; ; turn++ {
		started, before := time.Now(), l.Connects()
		err := l.connectOnce(ctx, turn)
		if ctx.Err() != nil {
			return nil
		}
		if l.opts.OneShot {
			return err
		}
		if time.Since(started) > steady && l.Connects() > before { // not one that was long in being refused
			pause.reset() // it was a good connection: the next trouble is a new one
		}
		wait := pause.next()
		l.opts.Log.Warn("broker out of reach", "err", err, "retry_in", wait.Round(time.Millisecond).String())
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// connectOnce runs one connection from dial to end and says why it ended.
func (l *Link) connectOnce(ctx context.Context, turn int) error {
	conn, where, err := l.dial(ctx, turn)
	if err != nil {
		return err
	}
	s, err := l.open(ctx, conn, where)
	if err != nil {
		return fmt.Errorf("connect to %s: %w", where, err)
	}
	defer s.close()
	if err := s.subscribe(ctx, l.wanted()...); err != nil {
		return fmt.Errorf("connect to %s: %w", where, err)
	}
	l.up(s)
	l.opts.Log.Info("broker connected", "url", where)
	select {
	case <-ctx.Done():
		err = ctx.Err()
	case <-s.lost:
		err = fmt.Errorf("connection to %s lost: %w", where, s.why())
	}
	l.down(s, err)
	return err
}

func (l *Link) wanted() []Subscription {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make([]Subscription, 0, len(l.filters))
	for _, s := range l.filters {
		all = append(all, s)
	}
	return all
}

func (l *Link) up(s *session) {
	l.mu.Lock()
	l.session = s
	l.connects++
	waiters := l.waiters
	l.waiters = nil
	l.mu.Unlock()
	for _, w := range waiters {
		close(w)
	}
	if l.opts.Up != nil {
		l.opts.Up()
	}
}

func (l *Link) down(s *session, err error) {
	l.mu.Lock()
	if l.session == s {
		l.session = nil
	}
	l.mu.Unlock()
	if l.opts.Down != nil {
		l.opts.Down(err)
	}
}

func (l *Link) current() *session {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.session
}

// Connects returns how many times the connection has come up.
func (l *Link) Connects() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.connects
}

// Connected reports whether messages can be sent now.
func (l *Link) Connected() bool { return l.current() != nil }

// Await returns when the link is up, or with the cause when ctx is done first.
func (l *Link) Await(ctx context.Context) error {
	l.mu.Lock()
	if l.session != nil {
		l.mu.Unlock()
		return nil
	}
	w := make(chan struct{})
	l.waiters = append(l.waiters, w)
	l.mu.Unlock()
	select {
	case <-w:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Publish sends messages in order and returns when those of QoS 0 have left
// and those of QoS 1 are acknowledged, all on one connection. When that
// connection ends first the error says so and nothing is sent again.
func (l *Link) Publish(ctx context.Context, msgs ...wire.Message) error {
	s := l.current()
	if s == nil {
		return ErrDown
	}
	err := s.publish(ctx, msgs)
	s.heed(l.opts.Will, msgs, err)
	return err
}

// Subscribe adds filters now and on every later connection. While the link is
// down it only notes them and returns nil.
func (l *Link) Subscribe(ctx context.Context, subs ...Subscription) error {
	l.mu.Lock()
	for _, s := range subs {
		l.filters[s.Filter] = s
	}
	s := l.session
	l.mu.Unlock()
	if s == nil {
		return nil
	}
	return s.subscribe(ctx, subs...)
}

// Unsubscribe removes filters.
func (l *Link) Unsubscribe(ctx context.Context, filters ...string) error {
	l.mu.Lock()
	for _, f := range filters {
		delete(l.filters, f)
	}
	s := l.session
	l.mu.Unlock()
	if s == nil {
		return nil
	}
	return s.unsubscribe(ctx, filters)
}
