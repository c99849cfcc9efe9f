package session

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"camqtt/internal/securefile"
)

const keyBytes = 32

// Key signs what browsers show as their session, so that sessions outlive a restart
// of the program. Make one with [OpenKey].
type Key struct {
	key [keyBytes]byte
}

// OpenKey reads a key, or makes one where there is no file yet. A file that is
// there is never replaced: a damaged one is an error.
func OpenKey(file string) (*Key, error) {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, fmt.Errorf("make a folder for the session key: %w", err)
	}
	err := securefile.MakeOnce(file, 0o600, func() ([]byte, error) {
		return append([]byte(base64.StdEncoding.EncodeToString(newKey().key[:])), '\n'), nil
	})
	if err != nil {
		return nil, fmt.Errorf("make the session key %s: %w", file, err)
	}
	text, err := securefile.ReadSecret(file)
	if err != nil {
		return nil, fmt.Errorf("read the session key: %w", err)
	}
	k := &Key{}
	b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(b) != keyBytes {
		return nil, fmt.Errorf("the session key %s is damaged: want %d bytes in base64. Restore it from a copy, or remove it: "+
			"then a new one is made, and everybody has to log in again", file, keyBytes)
	}
	copy(k.key[:], b)
	return k, nil
}

// newKey makes a key that is known to nothing else.
func newKey() *Key {
	k := &Key{}
	_, _ = rand.Read(k.key[:]) // never fails: crypto/rand
	return k
}

// token is what a cookie says of a session.
type token struct {
	ID    []byte `json:"i"` // random
	Name  string `json:"n"` // of the account
	Stamp string `json:"s"` // of the account when it logged in; another one is worth nothing
	Born  int64  `json:"b"` // when it logged in, Unix seconds
	Until int64  `json:"u"` // from then on it is worth nothing, Unix seconds
}

// mark is how the session is known here and in the file of ended ones.
func (t token) mark() mark { return sha256.Sum256(t.ID) }

func (k *Key) sign(text string) []byte {
	m := hmac.New(sha256.New, k.key[:])
	m.Write([]byte("camqtt session 1\n" + text))
	return m.Sum(nil)
}

// seal writes a token as text for a cookie.
func (k *Key) seal(t token) string {
	body, _ := json.Marshal(t) // strings, bytes and numbers are always JSON
	text := base64.RawURLEncoding.EncodeToString(body)
	return text + "." + base64.RawURLEncoding.EncodeToString(k.sign(text))
}

var errToken = errors.New("not a session of this dashboard")

// open reads what seal has written, if this key has signed it and it is still in force.
func (k *Key) open(cookie string, now time.Time) (t token, err error) {
	text, signature, _ := strings.Cut(cookie, ".")
	given, err := base64.RawURLEncoding.Strict().DecodeString(signature)
	if err != nil || !hmac.Equal(given, k.sign(text)) {
		return t, errToken
	}
	body, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || json.Unmarshal(body, &t) != nil {
		return t, errToken
	}
	if now.Unix() >= t.Until || now.Sub(time.Unix(t.Born, 0)) >= maxLife {
		return t, errToken
	}
	return t, nil
}
