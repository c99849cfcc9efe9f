package cert

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// pinScheme begins a pin.
const pinScheme = "sha256:"

// Pin is the SHA-256 of a public key as certificates hold it (SubjectPublicKeyInfo,
// RFC 7469 section 2.4). It stays the same when a certificate is renewed with its
// key, and trusting it takes neither an authority nor a correct clock.
type Pin [sha256.Size]byte

// ParsePin reads sha256: and 64 hexadecimal digits, in which colons may stand, or
// the 44 characters of base64 that curl's --pinnedpubkey and others write.
func ParsePin(s string) (Pin, error) {
	var p Pin
	rest, ok := strings.CutPrefix(s, pinScheme)
	if !ok {
		rest, ok = strings.CutPrefix(s, "sha256//")
	}
	b, err := hex.DecodeString(strings.ReplaceAll(rest, ":", ""))
	if err != nil {
		b, err = base64.StdEncoding.Strict().DecodeString(rest)
	}
	if !ok || err != nil || len(b) != len(p) {
		return p, fmt.Errorf("pin %.80q: want sha256: and 64 hexadecimal digits, as camqtt key prints them", s)
	}
	copy(p[:], b)
	return p, nil
}

// PinOf is the pin of a certificate's key.
func PinOf(c *x509.Certificate) Pin { return sha256.Sum256(c.RawSubjectPublicKeyInfo) }

// String is sha256: and 64 hexadecimal digits.
func (p Pin) String() string { return pinScheme + hex.EncodeToString(p[:]) }

// Explain adds to the error of a TLS handshake what a person needs to decide when
// the server's certificate is not trusted: the pin of its key, and where to compare
// it. Other errors stay as they are.
func Explain(err error) error {
	v, ok := errors.AsType[*tls.CertificateVerificationError](err)
	if !ok || len(v.UnverifiedCertificates) == 0 {
		return err
	}
	p := PinOf(v.UnverifiedCertificates[0])
	return fmt.Errorf("the broker's certificate is not trusted: %w; its key is %s: if \"camqtt key\" on its machine says the same, give --pin %s or set mqtt.pin to it", v.Err, p, p)
}
