package camera

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"

	"camqtt/node/camera/board"
)

// httpOption is what stands behind the # of a camera's URL.
type httpOption struct {
	kind    board.Kind // "": found out
	discard int        // pictures thrown away before the one that counts; below 0: found out
	pin     []byte     // SHA-256 of the only public key trusted; nil: none
	roots   *x509.CertPool
	given   string // all of it, as written
}

const (
	maxDiscard = 10
	optionList = "kind=, discard=, pin= or ca="
)

// parseHTTPOption reads the fragment. Values are percent-encoded, and a + is a +.
func parseHTTPOption(u *url.URL) (o httpOption, err error) {
	o.discard, o.given = -1, u.EscapedFragment()
	if o.given == "" {
		return o, nil
	}
	seen := map[string]bool{}
	for pair := range strings.SplitSeq(o.given, "&") {
		name, raw, ok := strings.Cut(pair, "=")
		if !ok {
			return o, fmt.Errorf("option %q behind the #: want %s", name, optionList)
		}
		if seen[name] {
			return o, fmt.Errorf("option %s= is given twice", name)
		}
		seen[name] = true
		value, err := url.PathUnescape(raw)
		if err != nil {
			return o, fmt.Errorf("option %s=%q: %w", name, raw, err)
		}
		if err := o.set(name, value); err != nil {
			return o, err
		}
	}
	if (o.pin != nil || o.roots != nil) && u.Scheme != "https" {
		return o, errors.New("options pin= and ca= are about certificates: want https:// with them")
	}
	return o, nil
}

func (o *httpOption) set(name, value string) (err error) {
	switch name {
	case "kind":
		kind, ok := board.ParseKind(value)
		if !ok {
			return fmt.Errorf("option kind=%q: want one of %s", value, strings.Join(board.Kinds(), ", "))
		}
		o.kind = kind
	case "discard":
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 || n > maxDiscard {
			return fmt.Errorf("option discard=%q: want 0 to %d pictures to throw away before each snapshot", value, maxDiscard)
		}
		o.discard = n
	case "pin":
		o.pin, err = parsePin(value)
	case "ca":
		o.roots, err = readRoots(value)
	default:
		return fmt.Errorf("unknown option %q behind the #: want %s", name, optionList)
	}
	return err
}

// pinPrefix says which digest a pin is.
const pinPrefix = "sha256:"

// parsePin reads the digest of a public key, in hexadecimal or base64.
func parsePin(s string) ([]byte, error) {
	text, ok := strings.CutPrefix(s, pinPrefix)
	if ok && len(text) == hex.EncodedLen(sha256.Size) {
		if b, err := hex.DecodeString(text); err == nil {
			return b, nil
		}
	}
	plain := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(text, "="))
	if b, err := base64.RawStdEncoding.DecodeString(plain); ok && err == nil && len(b) == sha256.Size {
		return b, nil
	}
	return nil, fmt.Errorf("option pin=%q: want sha256: and the digest of the camera's public key, 64 hexadecimal digits or base64", s)
}

// pinOf is the pin of a certificate, as it is written. What is digested is the
// public key (RFC 7469, 2.4), which outlives a renewed certificate.
func pinOf(c *x509.Certificate) string {
	sum := sha256.Sum256(c.RawSubjectPublicKeyInfo)
	return pinPrefix + hex.EncodeToString(sum[:])
}

func readRoots(path string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("option ca=: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("option ca=%s: no certificate in it: want PEM", path)
	}
	return pool, nil
}

// pinError says that a camera has another key than the one that was pinned.
type pinError struct{ got string }

func (e *pinError) Error() string { return "its key is another than the pinned one: " + e.got }

// tls is how the camera's certificate is judged; nil: as the system does.
func (o httpOption) tls() *tls.Config {
	if o.pin == nil && o.roots == nil {
		return nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.roots}
	if o.pin != nil {
		// A pinned key needs neither authority nor name nor date, which cameras
		// seldom have right; with an authority as well, both must hold.
		c.InsecureSkipVerify = o.roots == nil //nolint:gosec // VerifyConnection judges
		c.VerifyConnection = o.checkPin
	}
	return c
}

func (o httpOption) checkPin(s tls.ConnectionState) error {
	if len(s.PeerCertificates) == 0 {
		return errors.New("no certificate")
	}
	got := s.PeerCertificates[0]
	if sum := sha256.Sum256(got.RawSubjectPublicKeyInfo); !bytes.Equal(sum[:], o.pin) {
		return &pinError{pinOf(got)}
	}
	return nil
}
