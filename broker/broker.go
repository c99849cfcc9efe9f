package broker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"camqtt/broker/internal/sendqueue"
	"camqtt/broker/internal/sharedbuffer"
	"camqtt/internal/access"
	"camqtt/internal/wire"
)

// Options configure a broker. Only Log is needed.
type Options struct {
	// Listeners were bound by the caller: plain TCP, TLS by [NewTLSListener], Unix.
	// They are the caller's until Serve, which closes them on its way out. None is
	// fine: clients then come by Attach.
	Listeners []net.Listener
	// Base is the topic under which cameras live; it may have several levels, such as
	// "site/a/cam". Empty is "cam".
	Base string
	// Data is the folder for retained messages, made when it does not exist. Empty
	// keeps nothing across restarts.
	Data string
	// Access decides who clients are; nil has no accounts and
	// accepts the clients that the zero [access.Options] accept.
	Access *access.Accounts
	// Discovery is Home Assistant's topic prefix, for rights. Empty is "homeassistant".
	Discovery string
	// Served are the cameras of this process, under which no account of a camera publishes.
	Served []wire.ID
	Limits Limits
	// Protocols are answered in the place of MQTT on TLS connections whose client has
	// asked for them by ALPN (RFC 7301): by name, what serves one until it ends. The
	// limits on connections hold for them too, and the connection is closed behind them.
	Protocols map[string]func(*tls.Conn)
	// Version is what $SYS/broker/version says behind the program's name.
	Version string
	Log     *slog.Logger
}

// Broker is an MQTT 3.1, 3.1.1 and 5 broker. Make one with [New]. Its methods may be
// called from any goroutine.
type Broker struct {
	listeners []net.Listener
	base      string
	data      string
	limits    Limits
	log       *journal
	protocols map[string]func(*tls.Conn)
	identify  func(c *conn, user, secret string) (access.Principal, error)

	begun atomic.Bool
	up    chan struct{} // closed when Attach may proceed
	gone  chan struct{} // closed when Serve has ended

	serving sync.WaitGroup // accepted connections

	rights   rights
	conns    connections
	quotas   quotas
	subs     *subscriptions
	sessions sessions
	wills    wills
	router   router
	retained *retained
	cameras  cameras
	count    counters
	system   systemTopics

	records sendqueue.Records
	buffers sharedbuffer.Pool
	inbound atomic.Int64 // bytes of large packets being received

	storeFailing atomic.Bool // the last write of retained messages failed
}

// New checks the options and makes a broker. It opens and starts nothing.
func New(o Options) (*Broker, error) {
	if o.Log == nil {
		return nil, errors.New("make broker: Log is needed")
	}
	if o.Base == "" {
		o.Base = "cam"
	}
	limits, err := o.Limits.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("make broker: %w", err)
	}
	if o.Access == nil {
		if o.Access, err = access.Open(access.Options{}); err != nil {
			return nil, fmt.Errorf("make broker: %w", err)
		}
	}
	if err := checkTopic(o.Base, &limits); err != nil || strings.HasSuffix(o.Base, "/") {
		return nil, fmt.Errorf("make broker: base %q is no topic: %w", o.Base, errors.Join(err, errBase))
	}
	b := &Broker{
		listeners: o.Listeners,
		base:      o.Base,
		data:      o.Data,
		limits:    limits,
		protocols: o.Protocols,
		log:       newJournal(o.Log.With("part", "broker"), limits.LogEvery),
		up:        make(chan struct{}),
		gone:      make(chan struct{}),
		subs:      newSubscriptions(),
		rights: rights{
			topics:   access.Space{Base: wire.Base(o.Base), Discovery: o.Discovery, Served: o.Served},
			accounts: o.Access, patience: limits.ConnectTime,
		},
	}
	b.join(o.Version)
	return b, nil
}

// join makes the parts of the broker and tells each of those that it uses.
func (b *Broker) join(version string) {
	b.identify = b.rights.identify
	b.cameras.m = make(map[string]*camera)
	b.retained = newRetained(b)
	b.quotas = quotas{limits: &b.limits, m: make(map[string]*accountQuota)}
	b.conns = connections{
		limits: &b.limits, log: b.log, count: &b.count,
		connsPerIP: make(map[netip.Addr]int), all: make(map[*conn]struct{}),
	}
	b.router = router{
		base: b.base, rights: &b.rights, subs: b.subs, sessions: &b.sessions,
		retained: b.retained, cameras: &b.cameras, count: &b.count,
	}
	b.router.fanouts = newFanoutCache(b.router.newFanout)
	b.wills = wills{router: &b.router, rights: &b.rights, m: make(map[string]*pendingWill)}
	b.sessions = sessions{
		limits: &b.limits, log: b.log, rights: &b.rights, subs: b.subs, fanouts: b.router.fanouts, wills: &b.wills,
		m: make(map[string]*session), taken: connLimit{byAccount: make(map[string]int)},
	}
	b.system = systemTopics{version: version, stats: b.Stats, count: &b.count, subs: b.subs, deliver: b.router.deliver}
}

var errBase = errors.New("wanted one or more levels such as cam or site/a/cam")

// Serve runs the broker until ctx is done or a listener is closed under it, which is
// an error. It returns when every goroutine it began has ended and every connection
// is closed: MQTT 5 clients are told that the server shuts down, wills are kept in
// the retained store, and no client can delay it by more than a fraction of a second.
// It may be called once.
func (b *Broker) Serve(ctx context.Context) error {
	if !b.begun.CompareAndSwap(false, true) {
		return errors.New("serve broker: it was served before")
	}
	defer close(b.gone)
	defer b.conns.end()
	defer b.closeListeners()
	store, err := openStore(b)
	if err != nil {
		return fmt.Errorf("serve broker: %w", err)
	}
	defer store.close()
	b.system.started = time.Now()
	b.system.publish()
	within, cancel := context.WithCancel(ctx)
	defer cancel()
	failed := make(chan error, len(b.listeners))
	var loops sync.WaitGroup
	for _, l := range b.listeners {
		loops.Go(func() { // ends when the listener is closed
			if err := b.accept(within, l); err != nil {
				failed <- err
				cancel()
			}
		})
	}
	defer b.rights.accounts.OnChange(b.revoke)()
	loops.Go(func() { b.keepHouse(within) })                          // ends when within is done
	loops.Go(func() { store.run(within) })                            // ends when within is done
	loops.Go(func() { b.system.watch(within, b.limits.SystemEvery) }) // ends when within is done
	close(b.up)
	b.log.out.Info("broker up", "listeners", len(b.listeners))

	<-within.Done()
	b.closeListeners()
	b.conns.end()
	loops.Wait()
	b.serving.Wait()
	b.conns.serving.Wait()
	b.wills.due(time.Time{})
	store.flush(time.Time{})
	b.retained.clear()
	for _, s := range b.sessions.all() {
		s.end()
	}
	select {
	case why := <-failed:
		return fmt.Errorf("serve broker: %w", why)
	default:
		return nil
	}
}

func (b *Broker) closeListeners() {
	for _, l := range b.listeners {
		_ = l.Close()
	}
}

// keepHouse does what is due once a second.
func (b *Broker) keepHouse(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			b.sessions.expire(now)
			b.wills.due(now)
			b.retained.expire(now)
			b.cameras.forget(now.Add(-time.Hour))
		}
	}
}

// revoke ends connections and sessions whose account has gone or changed, with what waits
// in them. Their wills are published where that is still allowed.
func (b *Broker) revoke() {
	for _, c := range b.conns.list() {
		if c.established.Load() && b.rights.revoked(c.who, c.id) {
			c.closeRevoked()
		}
	}
	b.sessions.revoke()
	b.router.fanouts.forgetAll()
}
