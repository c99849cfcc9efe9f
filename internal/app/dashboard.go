package app

import (
	"net"
	"net/url"
	"path/filepath"
	"slices"

	"camqtt/dashboard"
	"camqtt/internal/config"
	"camqtt/internal/mqttclient"
	"camqtt/internal/usage"
	"camqtt/internal/viewer"
)

// addDashboard adds the dashboard and its connection to the broker.
func addDashboard(p *process) error {
	c, log := p.cfg.Dashboard, p.log.With("part", "dashboard")
	if c == nil {
		return nil
	}
	lo, err := p.hub.link()
	if err != nil {
		return usage.Error(err, "")
	}
	var l *mqttclient.Link
	v, err := viewer.New(viewer.Options{Base: p.cfg.Base, Link: LateLink{&l}, Log: log, CommandQoS: commandQoS(p.cfg.MQTT), TellClocks: true})
	if err != nil {
		return err
	}
	lo.ClientID, lo.Log, lo.Subscriptions = v.ClientID(), log, v.Subscriptions()
	lo.Receive, lo.Up = v.Receive, v.LinkUp
	if l, err = mqttclient.New(lo); err != nil {
		return err
	}
	listener, err := p.listen("the dashboard", c.Listen, p.o.HTTPHint)
	if err != nil {
		return err
	}
	p.httpAddr = listener.Addr()
	listener, shown, err := p.tls.dashboard(listener)
	if err != nil {
		return err
	}
	number, _ := Version()
	o := dashboard.Options{
		Listener: listener, Base: p.cfg.Base, Viewer: v, Origins: c.Origins, Hosts: hosts(p.cfg),
		TrustedProxies: c.TrustedProxies, Embed: c.Embed,
		Ready: l.Connected, Disk: p.hub.disk, Version: number, Log: log, Discovery: p.cfg.HomeAssistant.Prefix,
		Protocols: p.enrolment.protocols(), Enrol: p.enrolment.enroller(), Limits: dashboard.Limits{Connections: dashboardConnections()},
	}
	if err := giveAccounts(&o, p); err != nil {
		return err
	}
	if shown != nil {
		o.Named = shown.Names
	}
	if p.hub.embedded() {
		o.Attach, o.Broker = p.hub.broker.Attach, p.hub.counters
	} else {
		counts := new(dashboard.RemoteCounts)
		user, password := l.Credentials()
		o.Attach = dashboard.Remote(dashboard.RemoteOptions{
			Dial: l.Dial, User: user, Password: password, Base: p.cfg.Base, Log: log, Counts: counts,
		})
		o.Broker, o.OwnRights = func() []dashboard.Counter { return dashboard.RemoteCounters(counts) }, true
	}
	o.Broker = withPushCounters(p, o.Broker)
	d, err := dashboard.New(o)
	if err != nil {
		return err
	}
	p.add("dashboard's connection", l)
	p.add("dashboard", d)
	return nil
}

// giveAccounts lets the dashboard ask for accounts, if there can be any.
func giveAccounts(o *dashboard.Options, p *process) error {
	if p.accounts == nil { // the zero pointer would be an Access too
		return nil
	}
	o.Access = p.accounts
	if file := AccountsFile(p.cfg.AccountsData()); file != "" {
		o.Users = users{file: file, accounts: p.accounts, inUse: p.hub.inUse}
	}
	return keepSessions(o, p.cfg)
}

// keepSessions lets browser sessions outlive a restart, if there is a folder for that.
func keepSessions(o *dashboard.Options, cfg *config.Config) error {
	data, file := cfg.AccountsData(), cfg.Dashboard.SessionKeyFile
	if file == "" && data != "" {
		file = filepath.Join(data, "session.key")
	}
	if file == "" {
		return nil
	}
	var err error
	if o.SessionKey, err = dashboard.OpenSessionKey(file); err != nil {
		return usage.Error(err, "")
	}
	if data != "" {
		o.EndedSessions = filepath.Join(data, "session.ended")
	}
	return nil
}

// hosts are the host names that redirects to the page may use.
func hosts(cfg *config.Config) []string {
	names := slices.Clone(cfg.Dashboard.Hosts)
	u, err := url.Parse(cfg.HomeAssistant.URL)
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
