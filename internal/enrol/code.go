package enrol

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"unicode"

	"camqtt/internal/cert"
	"camqtt/internal/wire"
)

// codePrefix begins every join string, so that people and scanners for lost secrets
// know one when they see it.
const codePrefix = "camjoin_"

const (
	codeVersion  = 1
	maxAddresses = 8
	maxAddress   = 255 // bytes, of host:port
	checkBytes   = 4
	maxCode      = 4096 // characters
)

// Code is what a join string says.
type Code struct {
	Camera    wire.ID
	Addresses []string // host:port of the hub's TLS port, in the order to try
	Pin       cert.Pin // of the hub's key
	ID        [6]byte  // of the invitation; no secret
	Secret    [16]byte // good once
}

// newCode makes one with a secret of 128 random bits.
func newCode(camera wire.ID, d Endpoint, addresses []string) Code {
	c := Code{Camera: camera, Addresses: addresses, Pin: d.Pin}
	_, _ = rand.Read(c.ID[:]) // never fails: crypto/rand
	_, _ = rand.Read(c.Secret[:])
	return c
}

// Invitation names the invitation, for messages and files.
func (c Code) Invitation() string { return hex.EncodeToString(c.ID[:]) }

// Text writes the join string. It has letters, digits, "-" and "_" only, so that no
// shell and no chat changes it, and ends with four bytes by which [Parse] notices a
// part that is missing. It is no String method: who logs a Code shall not log this.
func (c Code) Text() string {
	b := []byte{codeVersion}
	b = append(b, c.Pin[:]...)
	b = append(b, c.ID[:]...)
	b = append(b, c.Secret[:]...)
	b = append(b, byte(len(c.Camera)))
	b = append(b, c.Camera...)
	b = append(b, byte(len(c.Addresses)))
	for _, a := range c.Addresses {
		b = append(b, byte(len(a)))
		b = append(b, a...)
	}
	return codePrefix + base64.RawURLEncoding.EncodeToString(append(b, checksum(b)...))
}

func checksum(b []byte) []byte {
	sum := sha256.Sum256(b)
	return sum[:checkBytes]
}

// String shows nothing of the secret.
func (c Code) String() string { return "invitation " + c.Invitation() + " for " + string(c.Camera) }

// Format shows nothing of the secret, whatever the verb.
func (c Code) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, c.String()) } // fmt has nowhere to put an error

// MarshalText shows nothing of the secret, to JSON and logs.
func (c Code) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// errCode is a join string that cannot be used.
var errCode = errors.New("this is no whole join string: want all of what \"camqtt user add --camera\" has printed, which begins with " + codePrefix)

// Parse reads a join string. Blanks and line ends, as chats and letters add them, do
// not matter. Its errors repeat nothing of it.
func Parse(s string) (Code, error) {
	var c Code
	if len(s) > 2*maxCode {
		return c, errCode
	}
	s = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, s)
	rest, ok := strings.CutPrefix(s, codePrefix)
	b, err := base64.RawURLEncoding.Strict().DecodeString(rest)
	if !ok || err != nil || len(b) <= checkBytes || len(s) > maxCode {
		return c, errCode
	}
	body, check := b[:len(b)-checkBytes], b[len(b)-checkBytes:]
	if !bytes.Equal(checksum(body), check) {
		return c, errCode
	}
	if body[0] != codeVersion {
		return c, fmt.Errorf("this join string is of version %d, and this program knows version %d: want the same version of camqtt on both machines", body[0], codeVersion)
	}
	return c, c.fill(body[1:])
}

// fill takes what follows the version.
func (c *Code) fill(b []byte) error {
	for _, part := range [][]byte{c.Pin[:], c.ID[:], c.Secret[:]} {
		if len(b) < len(part) {
			return errCode
		}
		b = b[copy(part, b):]
	}
	text := func() (s string, ok bool) {
		if len(b) == 0 || len(b) <= int(b[0]) {
			return "", false
		}
		end := 1 + int(b[0]) // more than a byte holds where b[0] is 255
		s, b = string(b[1:end]), b[end:]
		return s, true
	}
	id, ok := text()
	if !ok || len(b) == 0 {
		return errCode
	}
	var err error
	if c.Camera, err = wire.ParseID(id); err != nil {
		return fmt.Errorf("join string: %w", err)
	}
	n := int(b[0])
	b = b[1:]
	if n == 0 || n > maxAddresses {
		return errCode
	}
	for range n {
		a, ok := text()
		if !ok {
			return errCode
		}
		if err := checkAddress(a); err != nil {
			return fmt.Errorf("join string: %w", err)
		}
		c.Addresses = append(c.Addresses, a)
	}
	if len(b) > 0 {
		return errCode
	}
	return nil
}

// checkAddress looks at a host:port.
func checkAddress(a string) error {
	host, port, err := net.SplitHostPort(a)
	n, portErr := strconv.ParseUint(port, 10, 16)
	odd := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune(".-_:", r)
	}
	if err != nil || portErr != nil || n == 0 || host == "" || len(a) > maxAddress || strings.ContainsFunc(host, odd) {
		return fmt.Errorf("address %.80q: want a host with a port, such as 192.168.1.10:8883 or [fd00::1]:8883", a)
	}
	return nil
}
