package cert

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"time"

	"camqtt/internal/securefile"
)

const (
	certificateBlock = "CERTIFICATE"
	keyBlock         = "PRIVATE KEY" // PKCS #8, RFC 5958
)

// Authorities reads PEM with one certificate to trust or more. It is stricter than
// [x509.CertPool.AppendCertsFromPEM], which skips what it cannot read.
func Authorities(text []byte) (*x509.CertPool, error) {
	pool, n := x509.NewCertPool(), 0
	for {
		var b *pem.Block
		if b, text = pem.Decode(text); b == nil {
			break
		}
		if b.Type != certificateBlock {
			continue
		}
		c, err := x509.ParseCertificate(b.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d cannot be read: %w", n+1, err)
		}
		pool.AddCert(c)
		n++
	}
	if n == 0 {
		return nil, errors.New("has no certificate in it: want PEM")
	}
	return pool, nil
}

// readPair reads a certificate with its chain, and its key.
func readPair(certFile, keyFile string) (*tls.Certificate, error) {
	certs, err := os.ReadFile(certFile)
	if err != nil {
		return nil, fmt.Errorf("read the certificate: %w", err)
	}
	key, err := securefile.ReadSecret(keyFile)
	if err != nil {
		return nil, fmt.Errorf("read the private key: %w", err)
	}
	return pair(certFile, keyFile, certs, key)
}

// pair joins a certificate and its key; the names are for the error.
func pair(certFile, keyFile string, certs, key []byte) (*tls.Certificate, error) {
	c, err := tls.X509KeyPair(certs, key)
	if err != nil {
		return nil, fmt.Errorf("%s and %s are no certificate with its key: %w", certFile, keyFile, err)
	}
	return &c, nil
}

// expired says when a certificate cannot be used any more, or soon cannot.
func expired(c *tls.Certificate, now time.Time) (soon bool, at time.Time) {
	if c.Leaf == nil {
		return false, time.Time{}
	}
	return now.After(c.Leaf.NotAfter.Add(-soonExpired)), c.Leaf.NotAfter
}

// soonExpired is how long before its end a certificate is complained about.
const soonExpired = 14 * 24 * time.Hour

// PinOfPEM is the pin of the first certificate in PEM, which is the server's own.
func PinOfPEM(text []byte) (Pin, error) {
	for {
		var b *pem.Block
		if b, text = pem.Decode(text); b == nil {
			return Pin{}, errors.New("has no certificate in it: want PEM")
		}
		if b.Type != certificateBlock {
			continue
		}
		c, err := x509.ParseCertificate(b.Bytes)
		if err != nil {
			return Pin{}, fmt.Errorf("cannot be read: %w", err)
		}
		return PinOf(c), nil
	}
}
