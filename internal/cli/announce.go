package cli

import (
	"net"
	"strings"

	"camqtt/internal/config"
	"camqtt/internal/homeassistant"
	"camqtt/internal/homeassistant/announce"
	"camqtt/internal/mqttclient"
	"camqtt/internal/wire"
)

// embedded reports whether the parts of this process use its own broker.
func (b *plant) embedded() bool { return b.broker != nil && len(b.cfg.MQTT.URL) == 0 }

// hass is how this process describes cameras to Home Assistant.
func (b *plant) hass() homeassistant.Options {
	number, _ := version()
	c := b.cfg.HomeAssistant
	return homeassistant.Options{Mode: homeassistant.Mode(c.Discovery), Prefix: c.Prefix, Base: b.cfg.Base, URL: b.pageURL(), Version: number}
}

// addAnnouncer has the embedded broker's process describe every camera on it,
// also those of other machines, which need no right to do so themselves.
func (b *plant) addAnnouncer() error {
	log := b.log.With("part", "home assistant")
	var l *mqttclient.Link
	h := b.hass()
	h.Hub = true
	a, err := announce.New(announce.Options{Hass: h, Link: lateLink{&l}, Log: log})
	if err != nil {
		return usage(err, "")
	}
	lo := mqttclient.Options{Dial: b.pipe, ClientID: "camqtt-announcer", Log: log}
	b.listens(&lo, a)
	if l, err = mqttclient.New(lo); err != nil {
		return err
	}
	b.add("announcer's connection", l)
	b.add("announcer", a)
	return nil
}

// listens lets an announcer hear what a connection receives. Its subscriptions
// may be refused: an account of a camera need not be able to do more than send
// pictures.
func (b *plant) listens(o *mqttclient.Options, a *announce.Announcer) {
	for _, s := range subscriptions(a.Filters(), b.cfg.MQTT) {
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
func remote(c config.Camera) bool { return strings.Contains(c.Source, "://") || c.Pushed() }

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
func (b *plant) pageURL() string {
	if u := b.cfg.HomeAssistant.URL; u != "" || b.httpAddr == nil {
		return u
	}
	host, port, err := net.SplitHostPort(b.httpAddr.String())
	if err != nil {
		return ""
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		if host = ownAddress(); host == "" {
			return ""
		}
	}
	return schemeOf(b.cfg.Dashboard) + net.JoinHostPort(host, port)
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
