package httpcam

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"camqtt/internal/cert"
	"camqtt/node/camera/httpcam/board"
	"camqtt/node/camera/sourceurl"
)

// httpOption is what stands behind the # of a camera's URL.
type httpOption struct {
	kind    board.Kind // "": found out
	discard int        // pictures thrown away before the one that counts; below 0: found out
	pin     *cert.Pin  // the only public key trusted; nil: none
	roots   *x509.CertPool
	legacy  bool          // TLS as old cameras speak it
	timeout time.Duration // for the head of an answer; 0: as usual
	given   string        // all of it, as written
}

const (
	maxDiscard = 10
	optionList = "kind=, discard=, pin=, ca=, tls= or timeout="
)

// parseHTTPOption reads the fragment.
func parseHTTPOption(u *url.URL) (o httpOption, err error) {
	o.discard, o.given = -1, u.EscapedFragment()
	if o.given == "" {
		return o, nil
	}
	if err := sourceurl.EachOption(o.given, func(x sourceurl.Option) (string, error) {
		if !x.Given {
			return x.Key, fmt.Errorf("an option without = behind the #: want %s, and %%23 for a # in an address", optionList)
		}
		return x.Key, o.set(x.Key, x.Value)
	}); err != nil {
		return o, err
	}
	if (o.pin != nil || o.roots != nil || o.legacy) && u.Scheme != "https" {
		return o, errors.New("options pin=, ca= and tls= are for https://: a camera that redirects http:// to https:// is given by its https:// address")
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
	case "tls":
		if value != "legacy" {
			return fmt.Errorf("option tls=%q: want legacy, for a camera that speaks no newer TLS than 1.1 or knows no forward secrecy", value)
		}
		o.legacy = true
	case "timeout":
		o.timeout, err = sourceurl.ParseTimeout(value)
	default:
		// It may be the end of a password that has a # in it.
		return fmt.Errorf("unknown option behind the #: want %s, and %%23 for a # in an address", optionList)
	}
	return err
}

// parsePin reads the digest of a public key. In a URL base64 is written with other
// characters as well, and without its end.
func parsePin(s string) (*cert.Pin, error) {
	plain := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(s, "="))
	for _, form := range []string{plain, plain + "="} { // 32 bytes are 43 characters and one =
		if p, err := cert.ParsePin(form); err == nil {
			return &p, nil
		}
	}
	return nil, fmt.Errorf("option pin=%q: want sha256: and the digest of the camera's public key, 64 hexadecimal digits or base64", s)
}

func readRoots(path string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("option ca=: %w", err)
	}
	pool, err := cert.Authorities(pem)
	if err != nil {
		return nil, fmt.Errorf("option ca=%s: %w", path, err)
	}
	return pool, nil
}

// pinError says that a camera has another key than the one that was pinned.
type pinError struct{ got cert.Pin }

func (e *pinError) Error() string { return "its key is another than the pinned one: " + e.got.String() }

// tls is how the camera's certificate is judged; nil: as the system does. A camera
// whose key is pinned may speak the TLS of its time: the key says that it is the
// camera, and there is no other way to reach it.
func (o httpOption) tls() *tls.Config {
	if o.pin == nil && o.roots == nil && !o.legacy {
		return nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.roots}
	if o.legacy || o.pin != nil {
		c.MinVersion, c.CipherSuites = tls.VersionTLS10, allSuites() //nolint:gosec // asked for
	}
	if o.pin != nil {
		// A pinned key needs neither authority nor name nor date, which cameras
		// seldom have right; with an authority as well, both must hold.
		c.InsecureSkipVerify = o.roots == nil //nolint:gosec // VerifyConnection judges
		c.VerifyConnection = o.checkPin
	}
	return c
}

// allSuites are all cipher suites there are, those without forward secrecy too.
func allSuites() (ids []uint16) {
	for _, s := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		ids = append(ids, s.ID)
	}
	return ids
}

func (o httpOption) checkPin(s tls.ConnectionState) error {
	if len(s.PeerCertificates) == 0 {
		return errors.New("no certificate")
	}
	if got := cert.PinOf(s.PeerCertificates[0]); got != *o.pin {
		return &pinError{got}
	}
	return nil
}
