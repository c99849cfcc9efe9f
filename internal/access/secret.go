package access

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
)

// Bounds of a password that a person chooses.
const (
	MinPassword = 12   // characters
	MaxPassword = 1024 // bytes
)

// tokenPrefix begins every token, so that people and scanners for lost secrets know
// one when they see it.
const tokenPrefix = "camqtt_"

// What secrets are in the accounts file.
const (
	tokenForm    = "sha256:"
	passwordForm = "argon2id:"
)

// CheckPassword reports what is wrong with a password that a person has chosen.
func CheckPassword(s string) error {
	switch n := utf8.RuneCountInString(s); {
	case !utf8.ValidString(s):
		return fmt.Errorf("the password is not UTF-8")
	case n < MinPassword:
		return fmt.Errorf("the password has %d characters: want at least %d", n, MinPassword)
	case len(s) > MaxPassword:
		return fmt.Errorf("the password has %d bytes: want at most %d", len(s), MaxPassword)
	case strings.ContainsFunc(s, unicode.IsControl):
		return fmt.Errorf("the password has a control character")
	}
	return nil
}

// NewPassword makes one of 100 random bits that can be read aloud and typed.
func NewPassword() string {
	s := strings.ToLower(rand.Text())
	return s[:5] + "-" + s[5:10] + "-" + s[10:15] + "-" + s[15:20]
}

// NewToken makes one of 256 random bits.
func NewToken() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails: crypto/rand
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(b)
}

// CheckToken refuses a text that is not of the form that [NewToken] makes.
func CheckToken(token string) error {
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(token, tokenPrefix))
	if err != nil || len(b) != 32 || !strings.HasPrefix(token, tokenPrefix) {
		return errors.New("this is not a token of camqtt")
	}
	return nil
}

// secret is what is kept of a password or a token.
type secret struct {
	token bool
	sum   [32]byte // of a token

	cost cost // of a password
	salt []byte
	hash []byte
}

// cost is what a password's hash costs. RFC 9106 section 3.1.
type cost struct {
	passes  uint32
	memory  uint32 // KiB
	threads uint8
}

// standard is what new passwords are hashed with.
func standard() cost { return cost{passes: 2, memory: 19 << 10, threads: 1} }

// sane bounds what a file can make a login cost.
func (c cost) sane() bool {
	return c.passes >= 1 && c.passes <= 16 && c.memory >= 8 && c.memory <= 256<<10 && c.threads >= 1 && c.threads <= 4
}

func (c cost) hash(password string, salt []byte) []byte {
	return argon2.IDKey([]byte(password), salt, c.passes, c.memory, c.threads, 32)
}

func tokenSecret(token string) secret {
	return secret{token: true, sum: sha256.Sum256([]byte(token))}
}

// passwordSecret hashes a password. It takes tens of milliseconds and 19 MiB.
func passwordSecret(password string) secret {
	s := secret{cost: standard(), salt: make([]byte, 16)}
	_, _ = rand.Read(s.salt) // never fails: crypto/rand
	s.hash = s.cost.hash(password, s.salt)
	return s
}

// isToken reports whether a token is this one, in the same time whether it is or not.
func (s *secret) isToken(sum *[32]byte) bool {
	return s.token && subtle.ConstantTimeCompare(s.sum[:], sum[:]) == 1
}

// String writes a secret as it stands in the file.
func (s secret) String() string {
	if s.token {
		return tokenForm + hex.EncodeToString(s.sum[:])
	}
	enc := base64.RawStdEncoding
	return fmt.Sprintf("%sm=%d,t=%d,p=%d:%s:%s", passwordForm, s.cost.memory, s.cost.passes, s.cost.threads,
		enc.EncodeToString(s.salt), enc.EncodeToString(s.hash))
}

// parseSecret reads a secret of the file. Its errors show nothing of it.
func parseSecret(text string) (s secret, err error) {
	if sum, ok := strings.CutPrefix(text, tokenForm); ok {
		b, err := hex.DecodeString(sum)
		if err != nil || len(b) != len(s.sum) {
			return s, fmt.Errorf("secret: want 64 hexadecimal digits after %s", tokenForm)
		}
		s.token = true
		copy(s.sum[:], b)
		return s, nil
	}
	rest, ok := strings.CutPrefix(text, passwordForm)
	parts := strings.Split(rest, ":")
	if !ok || len(parts) != 3 {
		return s, fmt.Errorf("secret: want one that begins with %s or %s", tokenForm, passwordForm)
	}
	c := &s.cost
	var tail string
	// tail catches what is too much; what cannot be read shows in n.
	n, _ := fmt.Sscanf(parts[0]+" ", "m=%d,t=%d,p=%d%s", &c.memory, &c.passes, &c.threads, &tail)
	enc := base64.RawStdEncoding.Strict()
	salt, saltErr := enc.DecodeString(parts[1])
	hash, hashErr := enc.DecodeString(parts[2])
	if n != 3 || !c.sane() || saltErr != nil || hashErr != nil || len(salt) < 8 || len(salt) > 64 || len(hash) != 32 {
		return s, fmt.Errorf("secret: the password's hash is not whole")
	}
	s.salt, s.hash = salt, hash
	return s, nil
}
