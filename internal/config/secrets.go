package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"camqtt/internal/redact"
)

// Secret is text that shows itself as *** to fmt, slog, JSON and YAML; string(s)
// is the text itself.
type Secret string

// String returns ***.
func (Secret) String() string { return redact.Mask }

// Format writes *** for every verb: fmt shows the text to verbs that are not for
// strings.
func (Secret) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redact.Mask) } // fmt has no place for an error

// LogValue returns ***.
func (Secret) LogValue() slog.Value { return slog.StringValue(redact.Mask) }

// MarshalJSON writes ***.
func (Secret) MarshalJSON() ([]byte, error) { return json.Marshal(redact.Mask) }

// MarshalText writes ***, for other encoders.
func (Secret) MarshalText() ([]byte, error) { return []byte(redact.Mask), nil }

// MarshalYAML writes ***, or nothing for an empty secret.
func (s Secret) MarshalYAML() (any, error) {
	if s == "" {
		return "", nil
	}
	return redact.Mask, nil
}

// maxPassword is the longest password in MQTT, in bytes. [MQTT-1.5.3]
const maxPassword = 65535

func password(s string) (Secret, error) {
	switch {
	case s == redact.Mask:
		return "", errors.New("*** stands for a password that was hidden: want the password itself, or password_file")
	case len(s) > maxPassword:
		return "", fmt.Errorf("has %d bytes: want at most %d", len(s), maxPassword)
	}
	return Secret(s), nil
}

// token takes what survives in a path, a header and a line of text. Its errors
// do not repeat it.
func token(s string) (Secret, error) {
	const want = "want 8 to 128 of A-Z a-z 0-9 . _ ~ -"
	switch {
	case s == redact.Mask:
		return "", errors.New("*** stands for a token that was hidden: want the token itself, or push_token_file")
	case len(s) < 8 || len(s) > 128: // long enough not to be guessed at the rate that is allowed
		return "", fmt.Errorf("has %d characters: %s", len(s), want)
	case !consistsOf(s, "abcdefghijklmnopqrstuvwxyz0123456789._~-"):
		return "", errors.New("has a character that is not allowed in a path: " + want)
	}
	return Secret(s), nil
}

// onlyLine reads the content of a secret's file: one line, whose line end is optional.
func onlyLine(b []byte) (Secret, bool) {
	s := strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	return Secret(s), !strings.ContainsAny(s, "\n\r\x00")
}
