package app

import (
	"net"
	"strings"

	"camqtt/internal/config"
	"camqtt/internal/homeassistant"
	"camqtt/internal/homeassistant/announce"
	"camqtt/internal/mqttclient"
	"camqtt/internal/usage"
	"camqtt/internal/wire"
)

// discovery is how this process describes cameras to Home Assistant.
func discovery(p *process) homeassistant.Options {
	number, _ := Version()
	c := p.cfg.HomeAssistant
	return homeassistant.Options{Mode: homeassistant.Mode(c.Discovery), Prefix: c.Prefix, Base: p.cfg.Base, URL: pageURL(p.cfg, p.httpAddr), Version: number}
}

// addAnnouncer lets the process of the embedded broker announce every camera on it to Home
// Assistant. So nodes on other machines need no right to do so.
func addAnnouncer(p *process) error {
	if p.cfg.Broker == nil {
		return nil
	}
	log := p.log.With("part", "home assistant")
	var l *mqttclient.Link
	h := discovery(p)
	h.Hub = true
	a, err := announce.New(announce.Options{Hass: h, Link: LateLink{&l}, Log: log})
	if err != nil {
		return usage.Error(err, "")
	}
	lo := mqttclient.Options{Dial: p.hub.dial, ClientID: "camqtt-announcer", Log: log}
	listenFor(&lo, a, p.cfg.MQTT)
	if l, err = mqttclient.New(lo); err != nil {
		return err
	}
	p.add("announcer's connection", l)
	p.add("announcer", a)
	return nil
}

// listenFor passes what a connection receives to an announcer. Its subscriptions may be
// refused: the account of a camera need not be allowed to read.
func listenFor(o *mqttclient.Options, a *announce.Announcer, m config.MQTT) {
	for _, s := range subscriptions(a.Filters(), m) {
		s.Optional = true
		o.Subscriptions = append(o.Subscriptions, s)
	}
	receive, up, down := o.Receive, o.Up, o.Down
	o.Receive = func(m wire.Message) {
		if !a.Handle(m) && receive != nil {
			receive(m)
		}
	}
	o.Up = func() {
		a.LinkUp()
		if up != nil {
			up()
		}
	}
	o.Down = func(err error) {
		a.LinkDown(err)
		if down != nil {
			down(err)
		}
	}
}

// bridge is what cameras have in common whose pictures this machine fetches from
// elsewhere.
type bridge struct {
	id     wire.ID // "" is none
	shared *announce.Bridge
}

// bridgeOf makes a bridge of a process with several cameras elsewhere.
func bridgeOf(cameras []config.Camera, host string) bridge {
	n := 0
	for _, c := range cameras {
		if remote(c) {
			n++
		}
	}
	id := hostID(host)
	if n < 2 || id == "" {
		return bridge{}
	}
	return bridge{id, announce.NewBridge(id)}
}

// remote reports whether a camera is another device, which a URL says, or that it
// sends its pictures.
func remote(c config.Camera) bool {
	return strings.Contains(c.Source, "://") || strings.HasPrefix(c.Source, "mqtt:") || c.Pushed()
}

// hostID makes an id of a machine's name, or "".
func hostID(host string) wire.ID {
	name, _, _ := strings.Cut(strings.ToLower(host), ".")
	name = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
			return r
		}
		return '-'
	}, name)
	id, err := wire.ParseID(name[:min(len(name), 32)])
	if err != nil {
		return ""
	}
	return id
}

// pageURL is where people find the dashboard: what is configured, or else what
// can be told from where it listens.
func pageURL(cfg *config.Config, bound net.Addr) string {
	if u := cfg.HomeAssistant.URL; u != "" || bound == nil {
		return u
	}
	host, port, err := net.SplitHostPort(bound.String())
	if err != nil {
		return ""
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		if host = ownAddress(); host == "" {
			return ""
		}
	}
	return schemeOf(cfg.Dashboard) + net.JoinHostPort(host, port)
}

// ownAddress is this machine's address in its network, IPv4 first, or "".
func ownAddress() string {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return ""
	}
	six := ""
	for _, a := range addrs {
		n, ok := a.(*net.IPNet)
		switch {
		case !ok || !n.IP.IsGlobalUnicast():
		case n.IP.To4() != nil:
			return n.IP.String()
		case six == "":
			six = n.IP.String()
		}
	}
	return six
}
