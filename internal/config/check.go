package config

import (
	"fmt"
	"net"
)

// check looks at what several keys make together. Values that were refused are
// not judged a second time.
func (l *loader) check(cfg *Config) {
	l.locate(cfg)
	if !l.opts.ClientOnly {
		l.checkSomething(cfg)
	}
	if cfg.Broker != nil {
		l.checkBroker(cfg)
	}
	if cfg.Dashboard != nil {
		l.checkDashboard(cfg)
	}
	l.checkMQTT(cfg)
	l.checkCameras(cfg)
	l.checkPush(cfg)
}

// at is where a key was given, or where it would have been.
func (l *loader) at(key string) origin {
	for up := key; ; {
		if o, ok := l.origins[up]; ok {
			if up != key && o.file != fromEnvironment {
				o.key = key
			}
			return o
		}
		if up == "" {
			return origin{file: "configuration", key: key}
		}
		up, _ = cutLast(up)
	}
}

// sound reports whether none of the keys had a value that was refused.
func (l *loader) sound(keys ...string) bool {
	for _, k := range keys {
		if l.bad[k] {
			return false
		}
	}
	return true
}

func (l *loader) given(key string) bool {
	_, ok := l.origins[key]
	return ok
}

func (l *loader) checkSomething(cfg *Config) {
	if cfg.Broker == nil && cfg.Dashboard == nil && len(cfg.Cameras) == 0 && len(l.problems) == 0 {
		l.report(l.at(""), "nothing to run: want at least one of broker:, dashboard: and cameras:")
	}
}

func (l *loader) checkBroker(cfg *Config) {
	b := cfg.Broker
	for _, key := range []string{"broker.listen", "broker.tls.listen"} {
		addr := b.Listen
		if key == "broker.tls.listen" {
			addr = b.TLS.Listen
		}
		l.checkReach(brokerEntrance(b, key, addr))
	}
	l.checkBrokerTLS(cfg)
	if sharePort(b.Listen, b.TLS.Listen) && l.sound("broker.listen", "broker.tls.listen") {
		l.report(l.at("broker.tls.listen"), inTheWay(b.TLS.Listen, "broker.listen", b.Listen))
	}
}

// entrance is an address to listen on, and the keys that say who gets in there.
type entrance struct {
	key, addr               string
	anonymousKey, anonymous string
	dataKey, data           string
}

func brokerEntrance(b *Broker, key, addr string) entrance {
	return entrance{key, addr, "broker.anonymous", b.Anonymous, "broker.data", b.Data}
}

// checkReach looks at an address that others may reach: whoever comes to it needs an
// account, and accounts need a place.
func (l *loader) checkReach(e entrance) {
	help := "camqtt user add NAME"
	if e.data != "" {
		help += " --data " + e.data
	}
	switch {
	case e.addr == "" || isLoopback(e.addr) || !l.sound(e.key, e.anonymousKey, e.dataKey):
	case e.anonymous != "loopback" && e.anonymous != "never":
		l.reportf(l.at(e.key), "other machines can reach %s, and %s is %s: want an address of this machine such as 127.0.0.1, "+
			"or %[2]s: loopback, and an account for everybody else. Try: %[4]s", e.addr, e.anonymousKey, e.anonymous, help)
	case e.data == "":
		l.reportf(l.at(e.key), "other machines can reach %s, and without %s there can be no accounts: "+
			"want a folder for %[2]s, or an address of this machine such as 127.0.0.1", e.addr, e.dataKey)
	}
}

// sharePort reports whether two addresses cannot both be listened on.
func sharePort(a, b string) bool {
	hostA, portA, errA := net.SplitHostPort(a)
	hostB, portB, errB := net.SplitHostPort(b)
	every := func(host string) bool { return host == "" || host == "0.0.0.0" || host == "::" }
	return errA == nil && errB == nil && portA == portB && portA != "0" &&
		(hostA == hostB || every(hostA) || every(hostB))
}

func (l *loader) checkDashboard(cfg *Config) {
	d := cfg.Dashboard
	if cfg.Broker == nil && len(cfg.MQTT.URL) == 0 && l.sound("mqtt.url") {
		l.report(l.at("dashboard"), "no broker to show the cameras of: want a broker section, or mqtt.url")
	}
	switch {
	case cfg.Broker == nil:
		l.checkReach(entrance{"dashboard.listen", d.Listen, "dashboard.anonymous", d.Anonymous, "dashboard.data", d.Data})
	case d.Anonymous != "loopback" && l.sound("dashboard.anonymous"):
		l.report(l.at("dashboard.anonymous"), "is for a broker elsewhere: want broker.anonymous in its place")
	case d.Data != "":
		l.report(l.at("dashboard.data"), "is for a broker elsewhere: want broker.data in its place")
	default:
		l.checkReach(brokerEntrance(cfg.Broker, "dashboard.listen", d.Listen))
	}
	l.checkDashboardTLS(cfg)
	if cfg.Broker == nil || !l.sound("dashboard.listen") {
		return
	}
	for _, other := range []entry{
		{l.at("broker.listen"), cfg.Broker.Listen},
		{l.at("broker.tls.listen"), cfg.Broker.TLS.Listen},
	} {
		if l.sound(other.at.key) && sharePort(d.Listen, other.text) {
			l.report(l.at("dashboard.listen"), inTheWay(d.Listen, other.at.key, other.text))
		}
	}
}

func inTheWay(addr, otherKey, other string) string {
	return fmt.Sprintf("%s is in the way of %s (%s): want another port", addr, otherKey, other)
}

func (l *loader) checkMQTT(cfg *Config) {
	m := &cfg.MQTT
	withUser := 0
	for _, u := range m.URL {
		if hasUser(u) {
			withUser++
		}
	}
	l.checkTrust(m)
	secret := "mqtt.password"
	if m.PasswordFile != "" && l.sound("mqtt.password_file") {
		if m.Password != "" {
			l.report(l.at("mqtt.password"), "given as well as mqtt.password_file: want one of them")
			return
		}
		secret = "mqtt.password_file"
		l.readPassword(m)
	}
	if !l.opts.ClientOnly && l.given(secret) && (m.Password != "" || m.PasswordFile != "") && m.Username == "" &&
		withUser == 0 && l.sound("mqtt.username", "mqtt.url") {
		l.report(l.at(secret), "a password without a user: want mqtt.username as well")
	}
}

// readPassword takes the password from its file.
func (l *loader) readPassword(m *MQTT) {
	const key = "mqtt.password_file"
	m.Password = l.secret(key, m.PasswordFile, "password")
	if len(m.Password) > maxPassword {
		l.reportf(l.at(key), "%s has %d bytes: want at most %d", m.PasswordFile, len(m.Password), maxPassword)
	}
}

// secret is the only line of the file that a key names.
func (l *loader) secret(key, file, what string) Secret {
	b, ok := l.secretFile(key, file)
	if !ok {
		return ""
	}
	secret, one := oneLine(b)
	switch {
	case secret == "":
		l.reportf(l.at(key), "%s is empty: want the %s as its only line", file, what)
	case !one:
		l.reportf(l.at(key), "%s has more than one line: want the %s as its only line", file, what)
	}
	return secret
}

// packetRoom is how much of a packet at the embedded broker is left for what is not
// the picture, in bytes.
const packetRoom = 97_152

func (l *loader) checkCameras(cfg *Config) {
	if len(cfg.Cameras) > 0 && cfg.Broker == nil && len(cfg.MQTT.URL) == 0 && l.sound("mqtt.url") {
		l.report(l.at(camerasKey), "no broker to send the pictures to: want a broker section, or mqtt.url")
	}
	for _, c := range cfg.Cameras {
		key := func(member string) string { return camerasKey + "." + string(c.ID) + "." + member }
		switch {
		case !l.sound(key("source")):
		case c.Source == "":
			l.missingSource(l.at(key("source")))
		case l.opts.CheckSource != nil && l.sound(key("rotate")):
			if err := l.opts.CheckSource(c.Source, c.Rotate); err != nil {
				l.report(l.at(key("source")), err.Error())
			}
		}
		if cfg.Broker == nil || len(cfg.MQTT.URL) > 0 || !l.sound("broker.limits.packet_bytes") {
			continue
		}
		if most := cfg.Broker.Limits.PacketBytes - packetRoom; c.MaxImageBytes > most {
			l.reportf(l.at(key("max_image_bytes")), "%d: want at most %d, which is what the embedded broker takes with broker.limits.packet_bytes", c.MaxImageBytes, max(most, 0))
		}
	}
}

func (l *loader) missingSource(at origin) {
	l.report(at, "missing: every camera needs one, such as source: test:640x480")
}

// Exposed returns the first address that others than this machine can reach; "" when
// there is none.
func (c *Config) Exposed() string {
	var all []string
	if c.Broker != nil {
		all = append(all, c.Broker.Listen, c.Broker.TLS.Listen)
	}
	if c.Dashboard != nil {
		all = append(all, c.Dashboard.Listen)
	}
	for _, addr := range all {
		if addr != "" && !isLoopback(addr) {
			return addr
		}
	}
	return ""
}

// AccountsData returns the folder of the accounts; "" when there can be none.
func (c *Config) AccountsData() string {
	switch {
	case c.Broker != nil:
		return c.Broker.Data
	case c.Dashboard != nil:
		return c.Dashboard.Data
	}
	return ""
}
