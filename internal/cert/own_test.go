package cert_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"camqtt/internal/cert"
)

// TestOwnKeyIsMadeOnce starts many brokers at once on one new folder: all get the
// same key, which only its owner may read, and later starts too.
func TestOwnKeyIsMadeOnce(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	var wg sync.WaitGroup
	pins := make([]cert.Pin, 20)
	for i := range pins {
		wg.Go(func() { // ends by itself
			c, err := cert.Own(data)
			if err != nil {
				t.Error(err)
				return
			}
			pins[i] = cert.PinOf(c.Leaf)
		})
	}
	wg.Wait()
	for _, p := range pins {
		if p != pins[0] || p == (cert.Pin{}) {
			t.Fatalf("keys %v, want one", pins)
		}
	}
	c, err := cert.Own(data)
	if err != nil || cert.PinOf(c.Leaf) != pins[0] {
		t.Fatalf("the next start: %v, another key %v", err, cert.PinOf(c.Leaf) != pins[0])
	}
	k, ok := c.PrivateKey.(*ecdsa.PrivateKey)
	if !ok || k.Curve != elliptic.P256() {
		t.Errorf("key %T, want ECDSA P-256", c.PrivateKey)
	}
	if at := time.Date(1970, 1, 2, 0, 0, 0, 0, time.UTC); c.Leaf.IsCA || c.Leaf.NotBefore.Year() != 2020 || c.Leaf.NotAfter.Before(at.AddDate(70, 0, 0)) {
		t.Errorf("certificate from %s to %s, authority %v", c.Leaf.NotBefore, c.Leaf.NotAfter, c.Leaf.IsCA)
	}
	certFile, keyFile := cert.OwnFiles(data)
	for path, mode := range map[string]os.FileMode{keyFile: 0o600, certFile: 0o644, filepath.Dir(keyFile): 0o700} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: mode %v, %v: want %04o", path, info.Mode(), err, mode)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(keyFile), ".*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// TestOwnKeyDamaged damages what is there: it is refused with a cure, and never
// replaced, for every node has pinned it.
func TestOwnKeyDamaged(t *testing.T) {
	for name, c := range map[string]struct {
		harm func(key, crt string) error
		want string
	}{
		"empty key":  {func(key, _ string) error { return os.WriteFile(key, nil, 0o600) }, "is damaged"},
		"half a key": {func(key, _ string) error { return os.Truncate(key, 100) }, "is damaged"},
		"key of nonsense": {func(key, _ string) error {
			return os.WriteFile(key, []byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), 0o600)
		}, "is damaged"},
		"readable by all":  {func(key, _ string) error { return os.Chmod(key, 0o644) }, "chmod 600"},
		"half certificate": {func(_, crt string) error { return os.Truncate(crt, 100) }, "it is made again from"},
		"no key":           {func(key, _ string) error { return os.Remove(key) }, "own.key is missing"},
		"another key": {func(key, _ string) error {
			other := t.TempDir()
			if _, err := cert.Own(other); err != nil {
				return err
			}
			_, from := cert.OwnFiles(other)
			return os.Rename(from, key)
		}, "does not match its certificate"},
		"another certificate": {func(_, crt string) error {
			other := t.TempDir()
			if _, err := cert.Own(other); err != nil {
				return err
			}
			from, _ := cert.OwnFiles(other)
			return os.Rename(from, crt)
		}, "does not match its certificate"},
		"key is a folder": {func(key, _ string) error {
			if err := os.Remove(key); err != nil {
				return err
			}
			return os.Mkdir(key, 0o700)
		}, "is a folder"},
	} {
		t.Run(name, func(t *testing.T) {
			data := t.TempDir()
			if _, err := cert.Own(data); err != nil {
				t.Fatal(err)
			}
			certFile, keyFile := cert.OwnFiles(data)
			if err := c.harm(keyFile, certFile); err != nil {
				t.Fatal(err)
			}
			before, beforeErr := os.ReadFile(keyFile)
			_, err := cert.Own(data)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), filepath.Dir(keyFile)) {
				t.Errorf("%v, want %q and the file's name", err, c.want)
			}
			after, afterErr := os.ReadFile(keyFile)
			if !bytes.Equal(before, after) || errors.Is(beforeErr, fs.ErrNotExist) != errors.Is(afterErr, fs.ErrNotExist) {
				t.Error("the key was changed")
			}
		})
	}
}

// TestOwnCertificateIsMadeAgain removes the certificate: the key and its pin stay.
func TestOwnCertificateIsMadeAgain(t *testing.T) {
	data := t.TempDir()
	before, err := cert.Own(data)
	if err != nil {
		t.Fatal(err)
	}
	certFile, _ := cert.OwnFiles(data)
	if err := os.Remove(certFile); err != nil {
		t.Fatal(err)
	}
	after, err := cert.Own(data)
	if err != nil || cert.PinOf(after.Leaf) != cert.PinOf(before.Leaf) || after.Leaf.Equal(before.Leaf) {
		t.Errorf("%v: want another certificate of the same key", err)
	}
	text, err := os.ReadFile(certFile)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := cert.PinOfPEM(text); err != nil || p != cert.PinOf(before.Leaf) {
		t.Errorf("pin of the file: %v, %v", p, err)
	}
}
