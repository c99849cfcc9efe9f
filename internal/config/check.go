package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"

	"camqtt/internal/brokerurl"
)

// checker judges several keys together. It does not judge values that were refused
// before.
type checker struct {
	*report
	*Config
	o          Options
	readSecret func(name string) ([]byte, error)
}

func (c *checker) check() {
	if !c.o.ClientOnly && c.Broker == nil && c.Dashboard == nil && len(c.Cameras) == 0 && len(c.problems) == 0 {
		c.add(c.at(""), "nothing to run: want at least one of broker:, dashboard: and cameras:")
	}
	if c.Broker != nil {
		c.checkReach(entrance{"broker.listen", c.Broker.Listen, "broker", c.Broker.Anonymous, c.Broker.Data})
		c.checkReach(entrance{"broker.tls.listen", c.Broker.TLS.Listen, "broker", c.Broker.Anonymous, c.Broker.Data})
		c.checkBrokerTLS()
	}
	if c.Dashboard != nil {
		c.checkDashboard()
		c.checkDashboardTLS()
	}
	c.checkTrust()
	c.checkPassword()
	c.checkCameras()
	c.checkPush()
	c.checkPorts()
}

// given reports whether a key has a value from a source.
func (c *checker) given(key string) bool {
	_, ok := c.origins[key]
	return ok
}

// entrance is an address to listen on, and the section with the access to it.
type entrance struct{ key, addr, section, anonymous, data string }

// checkReach judges an address that other machines may reach: they need an account, and
// accounts need a folder.
func (c *checker) checkReach(e entrance) {
	anonymous, data := e.section+".anonymous", e.section+".data"
	if e.addr == "" || isLoopback(e.addr) || !c.sound(e.key, anonymous, data) {
		return
	}
	switch {
	case e.anonymous != "loopback" && e.anonymous != "never":
		help := "camqtt user add NAME"
		if e.data != "" {
			help += " --data " + e.data
		}
		c.addf(c.at(e.key), "other machines can reach %s, and %s is %s: want an address of this machine such as 127.0.0.1, "+
			"or %[2]s: loopback, and accounts for other machines. Try: %[4]s", e.addr, anonymous, e.anonymous, help)
	case e.data == "":
		c.addf(c.at(e.key), "other machines can reach %s, and without %s there can be no accounts: "+
			"want a folder for %[2]s, or an address of this machine such as 127.0.0.1", e.addr, data)
	}
}

// isLoopback reports whether only this machine reaches an address that listen has taken.
func isLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

func (c *checker) checkDashboard() {
	d, b := c.Dashboard, c.Broker
	if b == nil && len(c.MQTT.URL) == 0 {
		c.refuse("dashboard", "there is no broker: want a broker section, or mqtt.url", "mqtt.url")
	}
	switch {
	case b == nil:
		c.checkReach(entrance{"dashboard.listen", d.Listen, "dashboard", d.Anonymous, d.Data})
	case d.Anonymous != "loopback" && c.sound("dashboard.anonymous"):
		c.refuse("dashboard.anonymous", "is for a broker elsewhere: want broker.anonymous instead")
	case d.Data != "":
		c.refuse("dashboard.data", "is for a broker elsewhere: want broker.data instead")
	default:
		c.checkReach(entrance{"dashboard.listen", d.Listen, "broker", b.Anonymous, b.Data})
	}
}

// checkPorts looks for addresses that cannot be listened on together.
func (c *checker) checkPorts() {
	type port struct{ key, addr string }
	var all []port
	if b := c.Broker; b != nil {
		all = append(all, port{"broker.listen", b.Listen}, port{"broker.tls.listen", b.TLS.Listen})
	}
	if c.Dashboard != nil {
		all = append(all, port{"dashboard.listen", c.Dashboard.Listen})
	}
	all = append(all, port{"push.listen", c.Push.Listen}, port{"push.tcp", c.Push.TCP})
	for i, p := range all {
		for _, other := range all[:i] {
			if sharePort(p.addr, other.addr) {
				text := fmt.Sprintf("%s uses the port of %s (%s): want another port", p.addr, other.key, other.addr)
				c.refuse(p.key, text, p.key, other.key)
			}
		}
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

func (c *checker) checkPassword() {
	m := &c.MQTT
	key := "mqtt.password"
	if m.PasswordFile != "" && c.sound("mqtt.password_file") {
		if m.Password != "" {
			c.refuse(key, "given as well as mqtt.password_file: want one of them")
			return
		}
		key = "mqtt.password_file"
		m.Password = c.secret(key, m.PasswordFile, "password")
		if len(m.Password) > maxPassword {
			c.addf(c.at(key), "%s has %d bytes: want at most %d", m.PasswordFile, len(m.Password), maxPassword)
		}
	}
	hasPassword := c.given(key) && (m.Password != "" || m.PasswordFile != "")
	if hasPassword && m.Username == "" && !slices.ContainsFunc(m.URL, hasUser) && !c.o.ClientOnly {
		c.refuse(key, "a password without a user: want mqtt.username as well", "mqtt.username", "mqtt.url")
	}
}

// hasUser reports whether a URL that brokerURL has taken names a user.
func hasUser(brokerURL string) bool {
	u, err := url.Parse(brokerURL)
	return err == nil && u.User.Username() != ""
}

// isTLS reports whether a URL that brokerURL has taken is of an encrypted connection.
func isTLS(brokerURL string) bool {
	u, err := brokerurl.Parse(brokerURL)
	return err == nil && brokerurl.Secure(u)
}

// packetRoom is how much of a packet at the embedded broker is left for topic and
// properties beside the picture, in bytes.
const packetRoom = 97_152

func (c *checker) checkCameras() {
	if len(c.Cameras) > 0 && c.Broker == nil && len(c.MQTT.URL) == 0 {
		c.refuse(camerasKey, "there is no broker: want a broker section, or mqtt.url", "mqtt.url")
	}
	for i := range c.Cameras {
		cam := &c.Cameras[i]
		source := cam.key("source")
		c.checkLogin(cam)
		switch {
		case !c.sound(source):
		case cam.Source == "":
			c.refuse(source, missingSource)
		case c.o.CheckSource != nil && c.sound(cam.key("rotate")):
			if err := c.o.CheckSource(*cam, c.Base); err != nil {
				c.refuse(source, err.Error())
			}
		}
		if c.Broker == nil || len(c.MQTT.URL) > 0 {
			continue
		}
		if most := c.Broker.Limits.PacketBytes - packetRoom; cam.MaxImageBytes > most {
			text := fmt.Sprintf("%d: want at most %d, which is what the embedded broker takes with broker.limits.packet_bytes",
				cam.MaxImageBytes, max(most, 0))
			c.refuse(cam.key("max_image_bytes"), text, "broker.limits.packet_bytes")
		}
	}
}

// checkLogin reads the password of a camera from its file.
func (c *checker) checkLogin(cam *Camera) {
	key := cam.key("password_file")
	switch {
	case cam.PasswordFile == "" || !c.sound(key):
	case cam.User == "":
		c.refuse(key, "a password, but no user: want user as well")
	default:
		cam.password = c.secret(key, cam.PasswordFile, "password")
	}
}

// key is the dotted key of a member of the camera.
func (c *Camera) key(member string) string { return join(join(camerasKey, string(c.ID)), member) }

// checkPush judges the ports for boards that send their pictures, and which boards may.
func (c *checker) checkPush() {
	p := c.Push
	ports := p.Listen != "" || p.TCP != ""
	pushed := 0
	for i := range c.Cameras {
		cam := &c.Cameras[i]
		switch {
		case !c.sound(cam.key("source")):
		case !cam.Pushed():
			c.checkNotPushed(cam)
		default:
			pushed++
			if !ports {
				c.refuse(cam.key("source"), "no port receives the board's pictures: want push.listen or push.tcp, "+
					"such as push: {listen: 192.168.1.10:8090}", "push.listen", "push.tcp")
			}
			c.checkSender(cam)
		}
	}
	if ports && pushed == 0 && len(c.problems) == 0 {
		key := "push.listen"
		if p.Listen == "" {
			key = "push.tcp"
		}
		c.refuse(key, "no camera uses this port: want one with source: push")
	}
	c.checkPair("push.tls", p.TLS.Cert, p.TLS.Key)
	if p.TLS.Cert != "" && p.TLS.Key != "" && p.Listen == "" {
		c.refuse("push.tls.cert", "no port uses the certificate: want push.listen as well", "push.listen", "push.tcp")
	}
}

// checkNotPushed refuses the keys of boards that send for other cameras.
func (c *checker) checkNotPushed(cam *Camera) {
	for _, k := range [][2]string{
		{"push_token", string(cam.PushToken)}, {"push_token_file", cam.PushTokenFile}, {"push_from", cam.PushFrom},
	} {
		if k[1] != "" {
			c.refuse(cam.key(k[0]), "is for a board that sends its pictures: want source: push as well")
		}
	}
}

// checkSender judges which board may send for a camera, and reads the token from its file.
func (c *checker) checkSender(cam *Camera) {
	tokenKey, fileKey := cam.key("push_token"), cam.key("push_token_file")
	if !c.sound(tokenKey, fileKey, cam.key("push_from")) {
		return
	}
	switch {
	case cam.PushToken != "" && cam.PushTokenFile != "":
		c.refuse(tokenKey, "given as well as push_token_file: want one of them")
	case cam.PushTokenFile != "":
		before := len(c.problems)
		cam.PushToken = c.secret(fileKey, cam.PushTokenFile, "token")
		if _, err := token(string(cam.PushToken)); err != nil && len(c.problems) == before {
			c.addf(c.at(fileKey), "%s: %v", cam.PushTokenFile, err)
		}
	case cam.PushToken == "" && cam.PushFrom == "":
		c.refuse(cam.key("source"), "without a token or an address any sender is accepted: "+
			"want push_token_file, push_token or push_from")
	}
}

// secret is the only line of the file that a key names.
func (c *checker) secret(key, file, what string) Secret {
	b, ok := c.read(c.readSecret, key, file)
	if !ok {
		return ""
	}
	secret, one := onlyLine(b)
	switch {
	case secret == "":
		c.addf(c.at(key), "%s is empty: want the %s as its only line", file, what)
	case !one:
		c.addf(c.at(key), "%s has more than one line: want the %s as its only line", file, what)
	}
	return secret
}

// read reads the file that a key names.
func (c *checker) read(read func(string) ([]byte, error), key, file string) ([]byte, bool) {
	b, err := read(file)
	if err != nil {
		c.addf(c.at(key), "%s cannot be read: %s", file, reason(err))
	}
	return b, err == nil
}
