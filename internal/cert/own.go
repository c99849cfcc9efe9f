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

	"camqtt/internal/private"
	"camqtt/internal/secret"
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
// signed itself, and makes what is not there yet: an ECDSA P-256 key, mode 0600.
// What is there is never overwritten; a key that is damaged, or that others may
// read, is an error that says what to do.
func Own(data string) (*tls.Certificate, error) {
	certFile, keyFile := OwnFiles(data)
	if err := os.MkdirAll(filepath.Dir(keyFile), 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the broker's key: %w", err)
	}
	if err := makeOnce(keyFile, 0o600, newKey); err != nil {
		return nil, fmt.Errorf("make the broker's key: %w", err)
	}
	key, err := readKey(keyFile)
	if err != nil {
		return nil, err
	}
	if err := makeOnce(certFile, 0o644, func() ([]byte, error) { return selfSigned(key) }); err != nil {
		return nil, fmt.Errorf("make the certificate of the broker's key: %w", err)
	}
	c, err := readPair(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("%w; remove %s and it is made again, the key and its pin stay", err, certFile)
	}
	return c, nil
}

// readKey reads the key that makeOnce has left, or somebody has put there.
func readKey(name string) (crypto.Signer, error) {
	text, err := secret.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read the broker's key: %w", err)
	}
	const cure = "put it back from a copy, or remove it for a new one, which every node has to pin anew"
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

// makeOnce makes a file with what text gives, unless there is one. Whoever looks
// sees none or a whole one, also after a power cut; of two who make it at the same
// time one wins.
func makeOnce(name string, mode fs.FileMode, text func() ([]byte, error)) (err error) {
	if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	b, err := text()
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.Write(b)
	if err := errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return err
	}
	switch err := os.Link(f.Name(), name); {
	case err == nil, errors.Is(err, fs.ErrExist):
	default: // a file system without links, such as FAT
		if err := private.Rename(f.Name(), name); err != nil {
			return err
		}
	}
	return private.SyncFolder(filepath.Dir(name))
}
