package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"syscall"

	"camqtt/broker"
	"camqtt/dashboard"
	"camqtt/internal/access"
	"camqtt/internal/cert"
	"camqtt/internal/config"
	"camqtt/internal/enrol"
	"camqtt/internal/memlimit"
	"camqtt/internal/mqttclient"
	"camqtt/internal/run"
	"camqtt/internal/viewer"
	"camqtt/internal/wire"
	"camqtt/node/camera/push"
)

// plant is what a configuration becomes: services in the order in which they
// start, with every port bound and nothing running.
type plant struct {
	cfg      *config.Config
	log      *slog.Logger
	broker   *broker.Broker       // nil: somebody else's
	accounts *access.Accounts     // nil: there are none, and nobody else can come in
	memory   memory               // of cameras
	given    map[wire.ID][]string // keys of cameras that are meant for this start
	push     *push.Server         // nil: no board sends pictures here
	services []run.Named
	checks   []run.Check // by which systemd knows that all this is alive

	mqttAddr, tlsAddr, httpAddr net.Addr // as bound
	bound                       []net.Listener
	shared                      *cert.Source // the broker's certificate; nil until something needs it
	joining                     *enrol.Hub   // nil: nobody can join, there being no accounts here
	doors                       []joinDoor   // ports by which nodes can join
}

// ports says how a person moves a taken port, for messages.
type ports struct{ mqtt, http string }

// build makes the plant. When something is wrong nothing stays bound.
func (e *env) build(cfg *config.Config, log *slog.Logger, p ports) (_ *plant, err error) {
	memlimit.Limit(log)
	b := &plant{cfg: cfg, log: log, memory: e.memory(cfg, log), given: e.given}
	defer func() {
		if err != nil {
			for _, l := range b.bound {
				l.Close()
			}
		}
	}()
	if err := b.addAccounts(); err != nil {
		return nil, err
	}
	if err := b.addEnrolment(); err != nil {
		return nil, err
	}
	if cfg.Broker != nil {
		if err := b.addBroker(p); err != nil {
			return nil, err
		}
	}
	if cfg.Dashboard != nil {
		if err := b.addDashboard(p); err != nil {
			return nil, err
		}
	}
	if cfg.Broker != nil {
		if err := b.addAnnouncer(); err != nil {
			return nil, err
		}
	}
	if len(cfg.Cameras) > 0 {
		if err := b.addCameras(); err != nil {
			return nil, err
		}
	}
	if err := e.firstAccount(b); err != nil {
		return nil, err
	}
	b.add("systemd", run.Notify{Checks: b.checks, Log: log})
	return b, nil
}

func (b *plant) add(name string, s run.Service) {
	b.services = append(b.services, run.Named{Name: name, Service: s})
}

// listen binds a port, or says who moves it and how.
func (b *plant) listen(what, addr, hint string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, &hinted{fmt.Errorf("listen on %s for %s: the port is taken, by another camqtt or another program", addr, what), hint}
	case errors.Is(err, syscall.EACCES):
		return nil, &hinted{fmt.Errorf("listen on %s for %s: not allowed; ports below 1024 need a privilege", addr, what), hint}
	case err != nil:
		return nil, &hinted{fmt.Errorf("listen on %s for %s: %w", addr, what, err), hint}
	}
	b.bound = append(b.bound, l)
	return l, nil
}

func (b *plant) addBroker(p ports) error {
	c := b.cfg.Broker
	number, _ := version()
	limits := brokerLimits(c.Limits)
	limits.Connections = brokerConnections(limits.Connections, b.log)
	o := broker.Options{
		Base: string(b.cfg.Base), Data: c.Data, Access: b.accounts, Discovery: b.cfg.HomeAssistant.Prefix, Served: b.served(),
		Limits: limits, Protocols: b.protocols(), Version: number, Log: b.log,
	}
	if c.Listen != "" {
		l, err := b.listen("MQTT", c.Listen, p.mqtt)
		if err != nil {
			return err
		}
		b.mqttAddr = l.Addr()
		o.Listeners = append(o.Listeners, l)
	}
	if c.TLS.Listen != "" {
		l, err := b.listen("MQTT over TLS", c.TLS.Listen, "another port for broker.tls.listen")
		if err != nil {
			return err
		}
		b.tlsAddr = l.Addr()
		if l, err = b.encryptBroker(l); err != nil {
			return err
		}
		o.Listeners = append(o.Listeners, l)
	}
	if c.Unix != "" {
		l, err := broker.ListenUnix(c.Unix)
		if err != nil {
			return &hinted{err, "another path for broker.unix, in a folder that this user may write to"}
		}
		b.bound = append(b.bound, l)
		o.Listeners = append(o.Listeners, l)
	}
	br, err := broker.New(o)
	if err != nil {
		return err
	}
	b.broker = br
	b.checks = append(b.checks, b.brokerCheck())
	b.add("broker", br)
	if c.Data != "" {
		b.add("list of cameras", inUseList{dir: c.Data, now: b.inUse, log: b.log})
	}
	return nil
}

// brokerLimits turns the configuration's limits into the broker's. What has its default
// is made to fit the memory.
func brokerLimits(c config.BrokerLimits) broker.Limits {
	def := broker.DefaultLimits()
	if c.RetainedBytes == def.RetainedBytes {
		c.RetainedBytes = 0
	}
	if c.QueueBytes == def.QueueBytes {
		c.QueueBytes = 0
	}
	return broker.Limits{
		Memory:      memlimit.Available(),
		Connections: c.Connections, PerListener: c.ConnectionsPerPort, PerAddress: c.ConnectionsPerAddress, PerAccount: c.ConnectionsPerAccount,
		ConnectTime: c.ConnectTime, ConnectPacket: c.ConnectBytes, Packet: c.PacketBytes, ControlPacket: c.ControlBytes, PacketRate: c.PacketsPerSecond,
		TopicBytes: c.TopicBytes, TopicLevels: c.TopicLevels, Subscriptions: c.Subscriptions, Keepalive: c.Keepalive,
		Sessions: c.Sessions, SessionExpiry: c.SessionExpiry, Queue: c.QueueMessages, QueueBytes: c.QueueBytes,
		RetainedMessages: c.RetainedMessages, RetainedBytes: c.RetainedBytes, RetainedMessage: c.RetainedMessageBytes,
		StoreEvery: c.StoreEvery, StoreSlow: c.StoreSlow, SystemEvery: c.SystemEvery,
	}
}

// linkOptions is how the parts of this plant reach the broker: by a pipe inside
// the process when it is embedded and no other is named.
func (b *plant) linkOptions() (mqttclient.Options, error) {
	if b.embedded() {
		return mqttclient.Options{Dial: b.pipe}, nil
	}
	return linkOptions(b.cfg.MQTT)
}

// pipe connects to the embedded broker without a network.
func (b *plant) pipe(context.Context) (net.Conn, error) {
	near, far := net.Pipe()
	go func() { // ends when either side closes the pipe, or the broker ends
		if err := b.broker.Attach(context.Background(), far); err != nil {
			b.log.Debug("pipe to the broker ended", "err", err)
		}
	}()
	return near, nil
}

func (b *plant) addDashboard(p ports) error {
	c, log := b.cfg.Dashboard, b.log.With("part", "dashboard")
	lo, err := b.linkOptions()
	if err != nil {
		return usage(err, "")
	}
	var l *mqttclient.Link
	v, err := viewer.New(viewer.Options{Base: b.cfg.Base, Link: lateLink{&l}, Log: log, CommandQoS: commandQoS(b.cfg.MQTT)})
	if err != nil {
		return err
	}
	lo.ClientID, lo.Log, lo.Subscriptions = v.ClientID(), log, v.Subscriptions()
	lo.Receive, lo.Up = v.Receive, v.LinkUp
	if l, err = mqttclient.New(lo); err != nil {
		return err
	}
	listener, err := b.listen("the dashboard", c.Listen, p.http)
	if err != nil {
		return err
	}
	b.httpAddr = listener.Addr()
	listener, shown, err := b.encryptDashboard(listener)
	if err != nil {
		return err
	}
	number, _ := version()
	o := dashboard.Options{
		Listener: listener, Base: b.cfg.Base, Viewer: v, Origins: c.Origins, Hosts: b.hosts(),
		TrustedProxies: c.TrustedProxies, Embed: c.Embed,
		Ready: l.Connected, Disk: b.disk, Version: number, Log: log, Discovery: b.cfg.HomeAssistant.Prefix,
		Protocols: b.protocols(), Enrol: b.enroller(), Limits: dashboard.Limits{Connections: dashboardConnections()},
	}
	if err := b.giveAccounts(&o); err != nil {
		return err
	}
	if shown != nil {
		o.Named = shown.Names
	}
	if b.embedded() {
		o.Attach, o.Broker = b.broker.Attach, b.counters
	} else {
		counts := new(dashboard.RemoteCounts)
		user, password := l.Credentials()
		o.Attach = dashboard.Remote(dashboard.RemoteOptions{
			Dial: l.Dial, User: user, Password: password, Base: b.cfg.Base, Log: log, Counts: counts,
		})
		o.Broker, o.OwnRights = counts.Counters, true
	}
	o.Broker = b.withPushCounters(o.Broker)
	d, err := dashboard.New(o)
	if err != nil {
		return err
	}
	b.add("dashboard's connection", l)
	b.add("dashboard", d)
	return nil
}

// giveAccounts has the dashboard ask for accounts, where there can be any.
func (b *plant) giveAccounts(o *dashboard.Options) error {
	if b.accounts == nil { // the zero pointer would be an Access too
		return nil
	}
	o.Access = b.accounts
	if file := accountsFile(b.cfg.AccountsData()); file != "" {
		o.Users = users{file: file, accounts: b.accounts, inUse: b.inUse}
	}
	return b.keepSessions(o)
}

// keepSessions has sessions of browsers outlive a restart, where there is a folder for it.
func (b *plant) keepSessions(o *dashboard.Options) error {
	data, file := b.cfg.AccountsData(), b.cfg.Dashboard.SessionKeyFile
	if file == "" && data != "" {
		file = filepath.Join(data, "session.key")
	}
	if file == "" {
		return nil
	}
	var err error
	if o.SessionKey, err = dashboard.OpenSessionKey(file); err != nil {
		return usage(err, "")
	}
	if data != "" {
		o.EndedSessions = filepath.Join(data, "session.ended")
	}
	return nil
}

// hosts are the names by which people may be sent to the page.
func (b *plant) hosts() []string {
	names := slices.Clone(b.cfg.Dashboard.Hosts)
	u, err := url.Parse(b.cfg.HomeAssistant.URL)
	if err == nil && u.Hostname() != "" && net.ParseIP(u.Hostname()) == nil { // addresses need no permission
		names = append(names, u.Hostname())
	}
	return names
}

// commandQoS is the configuration's, in the form viewer takes.
func commandQoS(m config.MQTT) int {
	if m.CommandQoS == 0 {
		return -1
	}
	return m.CommandQoS
}

// subscriptions turns a node's filters into subscriptions.
func subscriptions(filters []string, m config.MQTT) []mqttclient.Subscription {
	var subs []mqttclient.Subscription
	for _, f := range filters {
		subs = append(subs, mqttclient.Subscription{Filter: f, QoS: byte(m.CommandQoS)})
	}
	return subs
}

var _ viewer.Link = (*mqttclient.Link)(nil)
