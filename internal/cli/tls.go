package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"

	"github.com/spf13/cobra"

	"camqtt/broker"
	"camqtt/internal/cert"
	"camqtt/internal/config"
	"camqtt/internal/mqttclient"
)

// certificate is the broker's, read or made when it is first needed.
func (b *plant) certificate() (*cert.Source, error) {
	if b.shared != nil {
		return b.shared, nil
	}
	c, t := b.cfg.Broker, b.cfg.Broker.TLS
	s, err := b.source("broker's certificate", cert.Options{
		Cert: t.Cert, Key: t.Key, Data: c.Data,
		ACME: cert.ACME{Domains: t.ACME.Domains, Email: t.ACME.Email, Directory: t.ACME.Directory, CAFile: t.ACME.CAFile},
	})
	if err != nil {
		return nil, usage(fmt.Errorf("broker.tls: %w", err), "")
	}
	b.shared = s
	return s, nil
}

// source makes a certificate and lists what keeps it current.
func (b *plant) source(name string, o cert.Options) (*cert.Source, error) {
	o.Log = b.log.With("part", "tls")
	s, err := cert.NewSource(o)
	if err != nil {
		return nil, err
	}
	b.add(name, s)
	if p, ok := s.Pin(); ok {
		o.Log.Info("key to pin", "what", name, "pin", p.String())
	}
	return s, nil
}

// encryptBroker puts TLS on the broker's second port.
func (b *plant) encryptBroker(l net.Listener) (net.Listener, error) {
	s, err := b.certificate()
	if err != nil {
		return nil, err
	}
	t := b.cfg.Broker.TLS
	conf, err := s.Config(cert.ServerOptions{ClientCA: t.ClientCA, Optional: t.ClientAuth == "optional"})
	if err != nil {
		return nil, usage(fmt.Errorf("broker.tls: %w", err), "")
	}
	return broker.NewTLSListener(l, b.joinable("mqtts", l, s, conf)), nil
}

// encryptDashboard puts TLS on the dashboard's port, if it shall have it. The source
// of its certificate is nil without.
func (b *plant) encryptDashboard(l net.Listener) (net.Listener, *cert.Source, error) {
	t := b.cfg.Dashboard.TLS
	if !t.On() {
		return l, nil, nil
	}
	var (
		s   *cert.Source
		err error
	)
	if t.Shared {
		s, err = b.certificate()
	} else if s, err = b.source("dashboard's certificate", cert.Options{Cert: t.Cert, Key: t.Key}); err != nil {
		err = usage(fmt.Errorf("dashboard.tls: %w", err), "")
	}
	if err != nil {
		return nil, nil, err
	}
	conf, err := s.Config(cert.ServerOptions{ClientCA: t.ClientCA, Optional: t.ClientAuth == "optional", Protocols: []string{"http/1.1"}})
	if err != nil {
		return nil, nil, usage(fmt.Errorf("dashboard.tls: %w", err), "")
	}
	return broker.NewTLSListener(l, b.joinable("wss", l, s, conf)), s, nil
}

// linkOptions is how to reach the broker that the configuration names.
func linkOptions(m config.MQTT) (mqttclient.Options, error) {
	o := mqttclient.Options{URLs: m.URL, Username: m.Username, Password: string(m.Password), NoRetain: !m.Retain}
	trust := cert.ClientOptions{CAFile: m.CAFile, Cert: m.Cert, Key: m.Key}
	for _, s := range m.Pin {
		p, err := cert.ParsePin(s)
		if err != nil {
			return o, err
		}
		trust.Pins = append(trust.Pins, p)
	}
	var err error
	o.TLS, err = cert.Client(trust)
	return o, err
}

func (e *env) keyCommand() *cobra.Command {
	var (
		sources []string
		asPEM   bool
	)
	c := &cobra.Command{
		Use:   "key FILE...",
		Short: "Print the key of this machine's broker, for mqtt.pin of its nodes",
		Long: "Print the key of this machine's broker as its nodes pin it (mqtt.pin, --pin). A broker without\n" +
			"certificate files makes its key at its first start; only who may read it can print it.",
		Example: "  camqtt key -c hub.yaml                 sha256:9f86d081...\n" +
			"  camqtt key -c hub.yaml --pem > hub.pem the certificate, for mosquitto_pub --cafile hub.pem",
		RunE: func(_ *cobra.Command, files []string) error {
			cfg, err := e.load(append(sources, files...))
			if err != nil {
				return err
			}
			if cfg.Broker == nil {
				return usage(errors.New("key: this configuration has no broker: want that of the machine where the broker runs"), "")
			}
			if d := cfg.Broker.TLS.ACME.Domains; len(d) > 0 {
				return usage(fmt.Errorf("key: the certificates of %s come from an authority and need no pin: nodes trust them by the system's authorities, or by mqtt.ca_file for one of your own", d[0]), "")
			}
			text, pin, err := brokerKey(cfg.Broker)
			if err != nil {
				return err
			}
			if asPEM {
				return write(e.Stdout, text)
			}
			return write(e.Stdout, []byte(pin.String()+"\n"))
		},
	}
	c.Flags().StringArrayVarP(&sources, "config", "c", nil, "configuration: a YAML file, or key=value; may be repeated, later ones win")
	c.Flags().BoolVar(&asPEM, "pem", false, "print the certificate in its place")
	return c
}

// brokerKey reads what the broker shows to its clients.
func brokerKey(c *config.Broker) (text []byte, pin cert.Pin, err error) {
	certFile, keyFile := c.TLS.Cert, c.TLS.Key
	if certFile == "" {
		if err := usable(c.Data); err != nil {
			return nil, pin, err
		}
		certFile, keyFile = cert.OwnFiles(c.Data)
	}
	if text, err = os.ReadFile(certFile); err != nil {
		if errors.Is(err, fs.ErrNotExist) && c.TLS.Cert == "" {
			return nil, pin, &hinted{
				fmt.Errorf("key: there is no %s: the broker makes its key at its first start with TLS", absolute(certFile)),
				"camqtt run with broker.tls.listen, such as -c broker.tls.listen=127.0.0.1:8883",
			}
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
