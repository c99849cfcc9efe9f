package app

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"

	"camqtt/broker"
	"camqtt/internal/cert"
	"camqtt/internal/config"
	"camqtt/internal/enrol"
	"camqtt/internal/usage"
)

// tlsPorts puts TLS on ports.
type tlsPorts struct {
	*parts
	enrolment *enrolment
	shared    *cert.Source // the broker's certificate; nil until a port needs it
}

// brokerCertificate is the broker's, read or made when it is first needed.
func (t *tlsPorts) brokerCertificate() (*cert.Source, error) {
	if t.shared != nil {
		return t.shared, nil
	}
	c, conf := t.cfg.Broker, t.cfg.Broker.TLS
	s, err := t.load("broker's certificate", cert.Options{
		Cert: conf.Cert, Key: conf.Key, Data: c.Data,
		ACME: cert.ACME{Domains: conf.ACME.Domains, Email: conf.ACME.Email, Directory: conf.ACME.Directory, CAFile: conf.ACME.CAFile},
	})
	if err != nil {
		return nil, usage.Error(fmt.Errorf("broker.tls: %w", err), "")
	}
	t.shared = s
	return s, nil
}

// load reads or creates a certificate, and adds the service that renews it.
func (t *tlsPorts) load(name string, o cert.Options) (*cert.Source, error) {
	o.Log = t.log.With("part", "tls")
	s, err := cert.NewSource(o)
	if err != nil {
		return nil, err
	}
	t.add(name, s)
	if p, ok := s.Pin(); ok {
		o.Log.Info("key to pin", "what", name, "pin", p.String())
	}
	return s, nil
}

// broker puts TLS on the broker's second port.
func (t *tlsPorts) broker(l net.Listener) (net.Listener, error) {
	s, err := t.brokerCertificate()
	if err != nil {
		return nil, err
	}
	c := t.cfg.Broker.TLS
	conf, err := s.Config(cert.ServerOptions{ClientCA: c.ClientCA, Optional: c.ClientAuth == "optional"})
	if err != nil {
		return nil, usage.Error(fmt.Errorf("broker.tls: %w", err), "")
	}
	return broker.NewTLSListener(l, t.offer("mqtts", l, s, conf)), nil
}

// dashboard puts TLS on the dashboard's port if the configuration asks for it. The
// certificate is nil without TLS.
func (t *tlsPorts) dashboard(l net.Listener) (net.Listener, *cert.Source, error) {
	c := t.cfg.Dashboard.TLS
	if !c.On() {
		return l, nil, nil
	}
	var (
		s   *cert.Source
		err error
	)
	if c.Shared {
		s, err = t.brokerCertificate()
	} else if s, err = t.load("dashboard's certificate", cert.Options{Cert: c.Cert, Key: c.Key}); err != nil {
		err = usage.Error(fmt.Errorf("dashboard.tls: %w", err), "")
	}
	if err != nil {
		return nil, nil, err
	}
	conf, err := s.Config(cert.ServerOptions{ClientCA: c.ClientCA, Optional: c.ClientAuth == "optional", Protocols: []string{"http/1.1"}})
	if err != nil {
		return nil, nil, usage.Error(fmt.Errorf("dashboard.tls: %w", err), "")
	}
	return broker.NewTLSListener(l, t.offer("wss", l, s, conf)), s, nil
}

// offer lets nodes join through a TLS port, if they can join at all.
func (t *tlsPorts) offer(scheme string, l net.Listener, s *cert.Source, conf *tls.Config) *tls.Config {
	return t.enrolment.offer(enrol.Endpoint{Listen: l.Addr().String(), Scheme: scheme}, s, s == t.shared, conf)
}

// push is the port's own certificate.
func (t *tlsPorts) push(c config.PushTLS) (*tls.Config, error) {
	s, err := t.load("push port's certificate", cert.Options{Cert: c.Cert, Key: c.Key})
	if err != nil {
		return nil, usage.Error(fmt.Errorf("push.tls: %w", err), "")
	}
	return s.Config(cert.ServerOptions{Protocols: []string{"http/1.1"}})
}

// BrokerKey reads the certificate that the broker shows to its clients.
func BrokerKey(c *config.Broker) (text []byte, pin cert.Pin, err error) {
	certFile, keyFile := c.TLS.Cert, c.TLS.Key
	if certFile == "" {
		if err := CheckData(c.Data); err != nil {
			return nil, pin, err
		}
		certFile, keyFile = cert.OwnFiles(c.Data)
	}
	if text, err = os.ReadFile(certFile); err != nil {
		if errors.Is(err, fs.ErrNotExist) && c.TLS.Cert == "" {
			return nil, pin, usage.Hint(
				fmt.Errorf("key: there is no %s: the broker makes its key at its first start with TLS", Absolute(certFile)),
				"camqtt run with broker.tls.listen, such as -c broker.tls.listen=127.0.0.1:8883",
			)
		}
		return nil, pin, fmt.Errorf("key: %w", err)
	}
	pin, err = cert.PinOfPEM(text)
	if err != nil {
		return nil, pin, fmt.Errorf("key: certificate %s (of %s): %w", certFile, keyFile, err)
	}
	return text, pin, nil
}

// schemeOf is http or https.
func schemeOf(d *config.Dashboard) string {
	if d.TLS.On() {
		return "https://"
	}
	return "http://"
}
