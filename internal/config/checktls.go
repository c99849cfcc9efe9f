package config

import (
	"crypto/tls"
	"slices"
	"strings"

	"camqtt/internal/cert"
	"camqtt/internal/securefile"
)

// locate turns credential:NAME into files, wherever a file can be named.
func (l *loader) locate(cfg *Config) {
	folder := l.environ("CREDENTIALS_DIRECTORY")
	for _, f := range paths(cfg) {
		if l.opts.ClientOnly && !strings.HasPrefix(f.key, "mqtt.") {
			continue
		}
		path, err := securefile.LocateSecret(*f.path, folder)
		if err != nil {
			l.bad[f.key] = true
			l.report(l.at(f.key), err.Error())
			continue
		}
		*f.path = path
	}
}

func (l *loader) checkBrokerTLS(cfg *Config) {
	t := &cfg.Broker.TLS
	shared := cfg.Dashboard != nil && cfg.Dashboard.TLS.Shared
	files := t.Cert != "" || t.Key != "" || l.bad["broker.tls.cert"] || l.bad["broker.tls.key"]
	used := t.Listen != "" || shared || l.bad["broker.tls.listen"]
	l.checkPair("broker.tls", t.Cert, t.Key)
	l.checkACME(cfg, files)
	switch {
	case !used && t.Cert != "" && t.Key != "":
		l.report(l.at("broker.tls.cert"), "a certificate, but no port to use it on: want broker.tls.listen as well, such as 127.0.0.1:8883")
	case !used && len(t.ACME.Domains) > 0:
		l.report(l.at("broker.tls.acme.domains"), "certificates, but no port to use them on: want broker.tls.listen, or dashboard.tls.shared: true")
	case used && !files && cfg.Broker.Data == "" && l.sound("broker.data"):
		l.report(l.at("broker.data"), "TLS keeps its key there: want a folder, or certificate files in broker.tls.cert and broker.tls.key")
	}
	l.checkClients("broker.tls", t.Listen != "" || l.bad["broker.tls.listen"], clients{t.ClientCA, t.ClientAuth, "broker.tls.listen"})
}

// checkACME looks at where certificates come from; files says that they are files.
func (l *loader) checkACME(cfg *Config, files bool) {
	const section = "broker.tls.acme"
	t := &cfg.Broker.TLS
	if len(t.ACME.Domains) == 0 {
		for _, k := range [][2]string{{"email", t.ACME.Email}, {"directory", t.ACME.Directory}, {"ca_file", t.ACME.CAFile}} {
			if k[1] != "" && l.sound(section+".domains") {
				l.reportf(l.at(section+"."+k[0]), "has no effect without %s.domains", section)
			}
		}
		return
	}
	if files {
		l.report(l.at(section+".domains"), "given as well as the files in broker.tls.cert and broker.tls.key: want one of them")
	}
	if t.ACME.CAFile != "" && !l.opts.ClientOnly {
		l.authorities(section+".ca_file", t.ACME.CAFile)
	}
	d := cfg.Dashboard
	answers := t.Listen != "" && t.ClientCA == "" || d != nil && d.TLS.Shared && d.TLS.ClientCA == ""
	if (t.Listen != "" || d != nil && d.TLS.Shared) && !answers {
		l.report(l.at(section+".domains"), "the authority shows no certificate when it checks a domain, and every TLS port asks for one: want a port without client_ca")
	}
}

func (l *loader) checkDashboardTLS(cfg *Config) {
	t := &cfg.Dashboard.TLS
	l.checkPair("dashboard.tls", t.Cert, t.Key)
	switch {
	case t.Shared && cfg.Broker == nil:
		l.report(l.at("dashboard.tls.shared"), "there is no broker here to share the certificate of: want dashboard.tls.cert and dashboard.tls.key")
	case t.Shared && (t.Cert != "" || t.Key != ""):
		l.report(l.at("dashboard.tls.shared"), "given as well as dashboard.tls.cert and dashboard.tls.key: want one of them")
	}
	on := t.On() || l.bad["dashboard.tls.cert"] || l.bad["dashboard.tls.key"] || l.bad["dashboard.tls.shared"]
	l.checkClients("dashboard.tls", on, clients{t.ClientCA, t.ClientAuth, "dashboard.tls.shared: true, or dashboard.tls.cert,"})
}

// clients is what a port asks of them.
type clients struct{ ca, auth, needs string } // needs: what encrypts the port

// checkClients looks at what a port asks of its clients.
func (l *loader) checkClients(section string, on bool, c clients) {
	key, ca, optional := section+".client_ca", c.ca, c.auth == "optional"
	switch {
	case !l.sound(key):
	case ca == "" && optional:
		l.reportf(l.at(section+".client_auth"), "has no effect without %s", key)
	case ca == "":
	case !on:
		l.reportf(l.at(key), "asks for certificates where nothing is encrypted: want %s as well", c.needs)
	case !l.opts.ClientOnly:
		l.authorities(key, ca)
	}
}

// checkPair looks at a certificate and its key.
func (l *loader) checkPair(section, certFile, keyFile string) {
	certKey, keyKey := section+".cert", section+".key"
	switch {
	case !l.sound(certKey, keyKey) || certFile == "" && keyFile == "":
		return
	case keyFile == "":
		l.reportf(l.at(certKey), "a certificate without its private key: want %s as well", keyKey)
		return
	case certFile == "":
		l.reportf(l.at(keyKey), "a private key without its certificate: want %s as well", certKey)
		return
	case l.opts.ClientOnly && section != "mqtt":
		return
	}
	certs, certOK := l.contents(certKey, certFile)
	key, keyOK := l.secretFile(keyKey, keyFile)
	if !certOK || !keyOK {
		return
	}
	if _, err := tls.X509KeyPair(certs, key); err != nil {
		l.reportf(l.at(certKey), "%s and %s are no certificate with its key: %v", certFile, keyFile, err)
	}
}

// checkTrust looks at how the broker is told from others, and we from other clients.
func (l *loader) checkTrust(m *MQTT) {
	l.checkPair("mqtt", m.Cert, m.Key)
	plain := !l.opts.ClientOnly && len(m.URL) > 0 && !slices.ContainsFunc(m.URL, isTLS)
	for _, k := range []struct {
		key   string
		given bool
	}{{"mqtt.pin", len(m.Pin) > 0}, {"mqtt.ca_file", m.CAFile != ""}, {"mqtt.cert", m.Cert != ""}} {
		if k.given && plain && l.sound("mqtt.url") {
			l.report(l.at(k.key), "has no effect, because no mqtt.url is encrypted: want mqtts:// or wss:// there")
		}
	}
	if m.CAFile == "" || !l.sound("mqtt.ca_file") {
		return
	}
	if len(m.Pin) > 0 {
		l.report(l.at("mqtt.pin"), "given as well as mqtt.ca_file: want one of them")
	}
	l.authorities("mqtt.ca_file", m.CAFile)
}

// authorities looks at the certificates in a file.
func (l *loader) authorities(key, file string) {
	b, ok := l.contents(key, file)
	if !ok {
		return
	}
	if _, err := cert.Authorities(b); err != nil {
		l.reportf(l.at(key), "%s %v", file, err)
	}
}

// contents reads the file that a key names.
func (l *loader) contents(key, file string) ([]byte, bool) {
	return l.readWith(l.opts.ReadFile, key, file)
}

// secretFile is contents for what nobody else may read.
func (l *loader) secretFile(key, file string) ([]byte, bool) {
	return l.readWith(l.readSecret, key, file)
}

func (l *loader) readWith(read func(string) ([]byte, error), key, file string) ([]byte, bool) {
	b, err := read(file)
	if err != nil {
		l.reportf(l.at(key), "%s cannot be read: %s", file, reason(err))
	}
	return b, err == nil
}
