package mqttclient

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"sync"
	"time"

	"camqtt/internal/brokerurl"
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

	// NoRetain is for brokers that refuse retained messages: the flag is left out.
	NoRetain bool
	// Limits is called when the broker has told other limits than before. It must not
	// block, and comes before Up.
	Limits func(Limits)

	Will          *wire.Message
	Subscriptions []Subscription
	// RefusedHint is a sentence that follows the error of subscriptions that the broker
	// does not accept.
	RefusedHint string
	// Receive gets every message, one at a time. It must not block.
	Receive func(wire.Message)
	// Up is called when every subscription has been acknowledged, Down when
	// such a connection has ended. They alternate and must not block.
	Up   func()
	Down func(error)

	// Dial replaces the network, for connections inside the process.
	Dial func(context.Context) (net.Conn, error)
	// OneShot makes Serve return the error of the first failure in place of
	// trying again: what a command at a prompt wants. Such a link is up as soon as
	// its subscriptions are on their way: what is published follows them.
	OneShot bool
	// Eager has what follows the CONNECT sent without waiting for the broker's
	// answer, which saves a round trip. With [ErrUnanswered] the broker may not take that.
	Eager bool

	KeepAlive  time.Duration // between pings on a quiet connection; 0 is 20 s
	Timeout    time.Duration // of connecting, and of a write of which no byte leaves; 0 is 10 s
	MinBackoff time.Duration // first pause between attempts; 0 is 1 s
	MaxBackoff time.Duration // 0 is 30 s
	Log        *slog.Logger
}

// Link is a connection that heals itself. Make one with [New].
type Link struct {
	opts    Options
	dialer  dialer
	limiter limiter

	filters *filters

	mu       sync.Mutex
	session  *session        // nil while down
	waiters  []chan struct{} // closed when the link comes up
	connects int             // sessions so far
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
			if _, err := brokerurl.Parse(u); err != nil {
				return nil, err
			}
		}
	}
	o.KeepAlive = orDefault(o.KeepAlive, 20*time.Second)
	o.Timeout = orDefault(o.Timeout, 10*time.Second)
	o.MinBackoff = orDefault(o.MinBackoff, time.Second)
	o.MaxBackoff = orDefault(o.MaxBackoff, 30*time.Second)
	l := &Link{opts: o, filters: newFilters(o.Subscriptions)}
	l.dialer.opts = &l.opts
	l.limiter.known.NoRetain = o.NoRetain
	return l, nil
}

func orDefault(d, def time.Duration) time.Duration {
	if d == 0 {
		return def
	}
	return d
}

// Serve keeps the connection up until ctx is done; with OneShot it returns the
// first failure, or that of the last of several URLs none of which can be reached.
func (l *Link) Serve(ctx context.Context) error {
	pause := newBackoff(l.opts.MinBackoff, l.opts.MaxBackoff)
	for turn := 0; ; turn++ {
		started, before := time.Now(), l.Connects()
		err := l.connectOnce(ctx, turn)
		if ctx.Err() != nil {
			return nil
		}
		if l.opts.OneShot {
			if turn+1 < len(l.opts.URLs) && l.Connects() == 0 {
				continue
			}
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
	l.askLimits(ctx, turn)
	conn, where, err := l.dialer.dial(ctx, turn)
	if err != nil {
		return err
	}
	s, err := l.open(ctx, &sniffConn{Conn: conn}, where)
	if err != nil {
		return fmt.Errorf("connect to %s: %w", where, l.limiter.refused(l.opts.Will, err))
	}
	defer s.close()
	asked, err := s.subscribeEach(ctx, l.filters.packets())
	if err != nil {
		err = s.explain(err)
	}
	if err == nil && l.opts.OneShot {
		l.up(s)
	}
	if err == nil {
		err = l.subscribed(ctx, s, asked)
	}
	if err != nil {
		err = fmt.Errorf("connect to %s: %w", where, l.hint(err))
		if l.current() == s {
			l.down(s, err)
		}
		return err
	}
	if !l.opts.OneShot {
		l.up(s)
	}
	l.opts.Log.Info("broker connected", "url", where)
	select {
	case <-ctx.Done():
		err = ctx.Err()
	case <-s.lost:
		l.limiter.ended()
		err = fmt.Errorf("connection to %s lost: %w", where, s.why())
	}
	l.down(s, err)
	return err
}

// hint adds what to do about refused subscriptions.
func (l *Link) hint(err error) error {
	var refused *RefusedError
	if l.opts.RefusedHint != "" && errors.As(err, &refused) {
		return fmt.Errorf("%w. %s", err, l.opts.RefusedHint)
	}
	return err
}

// subscribed waits for the answers. Refused filters that are not needed are left out.
func (l *Link) subscribed(ctx context.Context, s *session, asked []*pendingSubscribe) error {
	ctx, cancel := context.WithTimeoutCause(ctx, l.opts.Timeout, errNoAnswer)
	defer cancel()
	for _, p := range asked {
		if _, err := l.answer(ctx, p); err != nil {
			return s.explain(err)
		}
	}
	return nil
}

// answer waits for the answer to one SUBSCRIBE, and returns the filters that were refused
// and are not needed. They are left out from then on.
func (l *Link) answer(ctx context.Context, p *pendingSubscribe) (dropped []string, err error) {
	refused, err := p.wait(ctx)
	switch {
	case err == nil:
		dropped, err = l.filters.answered(p.asked, refused)
	case errors.Is(err, ErrDown):
		dropped = l.filters.unanswered(p.asked)
	}
	if len(dropped) > 0 {
		l.opts.Log.Debug("subscription refused", "filters", dropped)
	}
	return dropped, err
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
	msgs = l.allowed(msgs)
	l.limiter.handed(msgs)
	err := s.publish(ctx, msgs)
	s.heed(l.opts.Will, msgs, err)
	return err
}

// Subscribe adds filters now and on every later connection. It returns when they are on
// their way: what is published after that follows them. The channel brings the broker's
// answer, a [*RefusedError] for filters that it does not accept, and those are not asked
// again. While the link is down it only notes them, and the answer is nil.
func (l *Link) Subscribe(ctx context.Context, subs ...Subscription) <-chan error {
	answer := make(chan error, 1)
	l.filters.add(subs...)
	s := l.current()
	if s == nil || len(subs) == 0 {
		answer <- nil
		return answer
	}
	asked, err := s.subscribeEach(ctx, slices.Collect(slices.Chunk(subs, maxPerPacket)))
	if err != nil {
		answer <- fmt.Errorf("subscribe: %w", err)
		return answer
	}
	go func() { answer <- l.added(asked) }() // ends with the answers, or the connection's time limit
	return answer
}

// added waits for the answers to filters that were added.
func (l *Link) added(asked []*pendingSubscribe) error {
	ctx, cancel := context.WithTimeoutCause(context.Background(), l.opts.Timeout, errNoAnswer)
	defer cancel()
	var all []string
	for _, p := range asked {
		dropped, err := l.answer(ctx, p)
		if err != nil {
			return fmt.Errorf("subscribe: %w", err)
		}
		all = append(all, dropped...)
	}
	if len(all) > 0 {
		return &RefusedError{all}
	}
	return nil
}

// Unsubscribe removes filters. It does not wait for the broker.
func (l *Link) Unsubscribe(filters ...string) {
	l.filters.remove(filters...)
	if s := l.current(); s != nil {
		s.unsubscribe(filters)
	}
}

// Dial opens a connection of its own to the broker, on which MQTT can begin at
// once: for a caller with a client of its own.
func (l *Link) Dial(ctx context.Context) (net.Conn, error) {
	var errs []error
	for turn := range max(1, len(l.opts.URLs)) {
		conn, _, err := l.dialer.dial(ctx, turn)
		if err == nil {
			return conn, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// Credentials returns the user name and password that this link gives to the
// first of its brokers.
func (l *Link) Credentials() (user, password string) {
	if len(l.opts.URLs) == 0 {
		return l.opts.Username, l.opts.Password
	}
	u, err := brokerurl.Parse(l.opts.URLs[0])
	if err != nil {
		return "", ""
	}
	return l.dialer.credentials((&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String())
}
