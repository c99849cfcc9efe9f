package cert

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
)

// ClientOptions says whom a client trusts and who it is. The zero value trusts the
// system's authorities and has no certificate.
type ClientOptions struct {
	CAFile string // PEM file of the only authorities to trust
	// Pins are keys of which the server must have one; authorities, names and dates
	// then do not matter.
	Pins []Pin
	// Cert and Key are PEM files with a certificate for the server to check, and its
	// key. They are read at every connection, so that renewed ones are used; both or
	// none.
	Cert, Key string
}

// Client makes what a client needs for TLS 1.2 or later. Files that cannot be used
// are an error, never less verification.
func Client(o ClientOptions) (*tls.Config, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.CAFile != "" {
		if len(o.Pins) > 0 {
			return nil, errors.New("trust a broker: a pin and a file of authorities were given: want one of them")
		}
		var err error
		if conf.RootCAs, err = readAuthorities(o.CAFile); err != nil {
			return nil, err
		}
	}
	if len(o.Pins) > 0 {
		// What follows replaces Go's verification by one that does not need a name, a
		// clock or an authority. It is called for resumed connections too.
		conf.InsecureSkipVerify = true
		conf.VerifyConnection = func(s tls.ConnectionState) error { return checkPin(o.Pins, s) }
	}
	if o.Cert == "" && o.Key == "" {
		return conf, nil
	}
	if o.Cert == "" || o.Key == "" {
		return nil, errors.New("show a certificate to the broker: want the certificate and its key, but one of them is missing")
	}
	if _, err := readPair(o.Cert, o.Key); err != nil {
		return nil, err
	}
	conf.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		return readPair(o.Cert, o.Key)
	}
	return conf, nil
}

// checkPin compares the server's key with those that are trusted.
func checkPin(pins []Pin, s tls.ConnectionState) error {
	if len(s.PeerCertificates) == 0 {
		return errors.New("the broker showed no certificate")
	}
	got := PinOf(s.PeerCertificates[0])
	var want []string
	for _, p := range pins {
		if p == got {
			return nil
		}
		want = append(want, p.String())
	}
	return fmt.Errorf("the broker's key is %s, want %s (mqtt.pin): either it has a new key, which \"camqtt key\" on its machine would show, or somebody else answers in its place", got, strings.Join(want, " or "))
}

// readAuthorities reads certificates to trust. A file without one, or with one that
// cannot be read, is refused.
func readAuthorities(name string) (*x509.CertPool, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read the certificate authority: %w", err)
	}
	pool, err := Authorities(b)
	if err != nil {
		return nil, fmt.Errorf("certificate authority %s: %w", name, err)
	}
	return pool, nil
}
