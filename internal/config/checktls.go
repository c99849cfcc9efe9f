package config

import (
	"crypto/tls"
	"slices"

	"camqtt/internal/cert"
)

func (c *checker) checkBrokerTLS() {
	t := &c.Broker.TLS
	shared := c.Dashboard != nil && c.Dashboard.TLS.Shared
	files := t.Cert != "" || t.Key != "" || !c.sound("broker.tls.cert", "broker.tls.key")
	listens := t.Listen != "" || !c.sound("broker.tls.listen")
	c.checkPair("broker.tls", t.Cert, t.Key)
	c.checkACME(files)
	switch used := listens || shared; {
	case !used && t.Cert != "" && t.Key != "":
		c.refuse("broker.tls.cert", "no port uses the certificate: want broker.tls.listen as well, such as 127.0.0.1:8883")
	case !used && len(t.ACME.Domains) > 0:
		c.refuse("broker.tls.acme.domains", "certificates, but no port to use them on: "+
			"want broker.tls.listen, or dashboard.tls.shared: true")
	case used && !files && c.Broker.Data == "":
		c.refuse("broker.data", "TLS keeps its key there: want a folder, "+
			"or certificate files in broker.tls.cert and broker.tls.key", "broker.data")
	}
	c.checkClients("broker.tls", listens, clients{t.ClientCA, t.ClientAuth, "broker.tls.listen"})
}

// checkACME judges certificates from an authority; files says that there are files as well.
func (c *checker) checkACME(files bool) {
	const domains = "broker.tls.acme.domains"
	t, d := &c.Broker.TLS, c.Dashboard
	if len(t.ACME.Domains) == 0 {
		for _, k := range [][2]string{{"email", t.ACME.Email}, {"directory", t.ACME.Directory}, {"ca_file", t.ACME.CAFile}} {
			if k[1] != "" {
				c.refuse("broker.tls.acme."+k[0], "has no effect without "+domains, domains)
			}
		}
		return
	}
	if files {
		c.refuse(domains, "given as well as the files in broker.tls.cert and broker.tls.key: want one of them")
	}
	if t.ACME.CAFile != "" && !c.o.ClientOnly {
		c.checkAuthorities("broker.tls.acme.ca_file", t.ACME.CAFile)
	}
	shared := d != nil && d.TLS.Shared
	answers := t.Listen != "" && t.ClientCA == "" || shared && d.TLS.ClientCA == ""
	if (t.Listen != "" || shared) && !answers {
		c.refuse(domains, "the authority has no client certificate when it checks a domain, "+
			"and every TLS port requires one: want a port without client_ca")
	}
}

func (c *checker) checkDashboardTLS() {
	t := &c.Dashboard.TLS
	c.checkPair("dashboard.tls", t.Cert, t.Key)
	switch {
	case t.Shared && c.Broker == nil:
		c.refuse("dashboard.tls.shared", "there is no broker here to share the certificate of: "+
			"want dashboard.tls.cert and dashboard.tls.key")
	case t.Shared && (t.Cert != "" || t.Key != ""):
		c.refuse("dashboard.tls.shared", "given as well as dashboard.tls.cert and dashboard.tls.key: want one of them")
	}
	on := t.On() || !c.sound("dashboard.tls.cert", "dashboard.tls.key", "dashboard.tls.shared")
	needs := "dashboard.tls.shared: true, or dashboard.tls.cert,"
	c.checkClients("dashboard.tls", on, clients{t.ClientCA, t.ClientAuth, needs})
}

// clients is what a port asks of its clients; needs is the key that encrypts the port.
type clients struct{ ca, auth, needs string }

// checkClients judges what a port asks of its clients; on says that it is encrypted.
func (c *checker) checkClients(section string, on bool, k clients) {
	key := section + ".client_ca"
	switch {
	case !c.sound(key):
	case k.ca == "" && k.auth == "optional":
		c.refuse(section+".client_auth", "has no effect without "+key)
	case k.ca == "":
	case !on:
		c.refuse(key, "asks for client certificates on a port without TLS: want "+k.needs+" as well")
	case !c.o.ClientOnly:
		c.checkAuthorities(key, k.ca)
	}
}

// checkPair judges a certificate and its key.
func (c *checker) checkPair(section, certFile, keyFile string) {
	certKey, keyKey := section+".cert", section+".key"
	switch {
	case !c.sound(certKey, keyKey) || certFile == "" && keyFile == "":
		return
	case keyFile == "":
		c.refuse(certKey, "a certificate without its private key: want "+keyKey+" as well")
		return
	case certFile == "":
		c.refuse(keyKey, "a private key without its certificate: want "+certKey+" as well")
		return
	case c.o.ClientOnly && section != "mqtt":
		return
	}
	certs, certOK := c.read(c.o.ReadFile, certKey, certFile)
	key, keyOK := c.read(c.readSecret, keyKey, keyFile)
	if !certOK || !keyOK {
		return
	}
	if _, err := tls.X509KeyPair(certs, key); err != nil {
		c.addf(c.at(certKey), "%s and %s are not a certificate and its key: %v", certFile, keyFile, err)
	}
}

// checkTrust judges how the broker proves what it is, and how this program does.
func (c *checker) checkTrust() {
	m := &c.MQTT
	c.checkPair("mqtt", m.Cert, m.Key)
	plain := !c.o.ClientOnly && len(m.URL) > 0 && !slices.ContainsFunc(m.URL, isTLS)
	for _, k := range []struct {
		key   string
		given bool
	}{{"mqtt.pin", len(m.Pin) > 0}, {"mqtt.ca_file", m.CAFile != ""}, {"mqtt.cert", m.Cert != ""}} {
		if k.given && plain {
			c.refuse(k.key, "has no effect, because no mqtt.url is encrypted: want mqtts:// or wss://", "mqtt.url")
		}
	}
	if m.CAFile == "" || !c.sound("mqtt.ca_file") {
		return
	}
	if len(m.Pin) > 0 {
		c.refuse("mqtt.pin", "given as well as mqtt.ca_file: want one of them")
	}
	c.checkAuthorities("mqtt.ca_file", m.CAFile)
}

// checkAuthorities judges the certificates in a file.
func (c *checker) checkAuthorities(key, file string) {
	b, ok := c.read(c.o.ReadFile, key, file)
	if !ok {
		return
	}
	if _, err := cert.Authorities(b); err != nil {
		c.addf(c.at(key), "%s %v", file, err)
	}
}
