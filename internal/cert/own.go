package cert

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"camqtt/internal/securefile"
)

// Files of a key made here, in the folder that [OwnFiles] names.
const (
	ownKey  = "own.key"
	ownCert = "own.crt"
)

// OwnFiles names the files of the broker's own key, given its data folder.
func OwnFiles(data string) (certFile, keyFile string) {
	dir := Folder(data)
	return filepath.Join(dir, ownCert), filepath.Join(dir, ownKey)
}

// Folder is where TLS keeps what it has made, given the data folder.
func Folder(data string) string { return filepath.Join(data, "tls") }

// Own returns the key of the given data folder with a certificate that it has
// signed itself. It makes both in a folder that has neither: an ECDSA P-256 key, mode
// 0600. It makes a missing certificate again from its key, which keeps the pin. It never
// makes a key beside a certificate, and never overwrites anything: nodes have pinned the
// key. A key that is missing, damaged, another certificate's, or readable by others is an
// error that says what to do.
func Own(data string) (*tls.Certificate, error) {
	certFile, keyFile := OwnFiles(data)
	if err := os.MkdirAll(filepath.Dir(keyFile), 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the broker's key: %w", err)
	}
	if err := keyMissing(certFile, keyFile); err != nil {
		return nil, err
	}
	if err := securefile.MakeOnce(keyFile, 0o600, newKey); err != nil {
		return nil, fmt.Errorf("make the broker's key: %w", err)
	}
	key, err := readKey(keyFile)
	if err != nil {
		return nil, err
	}
	if err := securefile.MakeOnce(certFile, 0o644, func() ([]byte, error) { return selfSigned(key) }); err != nil {
		return nil, fmt.Errorf("make the certificate of the broker's key: %w", err)
	}
	return ownPair(certFile, keyFile, key)
}

// keyMissing reports a certificate without its key.
func keyMissing(certFile, keyFile string) error {
	if _, err := os.Lstat(keyFile); !errors.Is(err, fs.ErrNotExist) {
		return nil // reading it says more
	}
	if _, err := os.Lstat(certFile); err != nil {
		return nil // the first start
	}
	return fmt.Errorf("the broker's key %s is missing, its certificate %s is there: %s", keyFile, certFile, cureKey(certFile, keyFile))
}

// cureKey says what to do about a key that cannot be used.
func cureKey(certFile, keyFile string) string {
	return fmt.Sprintf("restore %s from a copy; no key is made in its place, because nodes and join strings have pinned the old one. "+
		"Without a copy: remove %[1]s and %s, start again, and pin the new key on every node", keyFile, certFile)
}

// ownPair joins the certificate and the key, which has been read already.
func ownPair(certFile, keyFile string, key crypto.Signer) (*tls.Certificate, error) {
	text, err := os.ReadFile(certFile)
	if err != nil {
		return nil, fmt.Errorf("read the certificate of the broker's key: %w", err)
	}
	b, _ := pem.Decode(text)
	if b == nil {
		b = new(pem.Block)
	}
	leaf, err := x509.ParseCertificate(b.Bytes)
	if err != nil {
		return nil, fmt.Errorf("the certificate of the broker's key %s is damaged (%w): restore it from a copy, "+
			"or remove it: it is made again from %s, whose pin stays", certFile, err, keyFile)
	}
	if public, ok := leaf.PublicKey.(interface{ Equal(crypto.PublicKey) bool }); !ok || !public.Equal(key.Public()) {
		return nil, fmt.Errorf("the broker's key %s does not match its certificate %s, whose pin is %s: %s",
			keyFile, certFile, PinOf(leaf), cureKey(certFile, keyFile))
	}
	return readPair(certFile, keyFile)
}

// readKey reads the key that was made here or put there by hand.
func readKey(name string) (crypto.Signer, error) {
	text, err := securefile.ReadSecret(name)
	if err != nil {
		return nil, fmt.Errorf("read the broker's key: %w", err)
	}
	cure := cureKey(filepath.Join(filepath.Dir(name), ownCert), name)
	b, _ := pem.Decode(text)
	if b == nil {
		return nil, fmt.Errorf("the broker's key %s is damaged (no PEM in it): %s", name, cure)
	}
	k, err := x509.ParsePKCS8PrivateKey(b.Bytes)
	if err != nil {
		return nil, fmt.Errorf("the broker's key %s is damaged (%w): %s", name, err, cure)
	}
	s, ok := k.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("the broker's key %s is a %T, which cannot sign: %s", name, k, cure)
	}
	return s, nil
}

func newKey() ([]byte, error) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(k)
	return pem.EncodeToMemory(&pem.Block{Type: keyBlock, Bytes: der}), err
}

// selfSigned makes a certificate for this machine's names. Its dates are fixed, for
// a machine without a clock believes at its first start that it is 1970.
func selfSigned(key crypto.Signer) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)) // RFC 5280 section 4.1.2.2: at most 20 bytes
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "camqtt"},
		NotBefore:   time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:    time.Date(2049, 12, 31, 23, 59, 59, 0, time.UTC), // the last year of UTCTime, RFC 5280 section 4.1.2.5.1
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		BasicConstraintsValid: true,
	}
	if host, err := os.Hostname(); err == nil && host != "" && host != "localhost" {
		t.DNSNames = append(t.DNSNames, host, host+".local")
	}
	if addrs, err := net.InterfaceAddrs(); err == nil {
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() {
				t.IPAddresses = append(t.IPAddresses, n.IP)
			}
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	return pem.EncodeToMemory(&pem.Block{Type: certificateBlock, Bytes: der}), err
}
