package config

import (
	"encoding/json"
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

// Format writes *** whatever the verb: fmt would show the text to those that are
// not for strings.
func (Secret) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redact.Mask) } // fmt has nowhere to put an error

// LogValue returns ***.
func (Secret) LogValue() slog.Value { return slog.StringValue(redact.Mask) }

// MarshalJSON writes ***.
func (Secret) MarshalJSON() ([]byte, error) { return json.Marshal(redact.Mask) }

// MarshalText writes ***, for whatever else turns values into text.
func (Secret) MarshalText() ([]byte, error) { return []byte(redact.Mask), nil }

// MarshalYAML writes ***.
func (Secret) MarshalYAML() (any, error) { return redact.Mask, nil }

// oneLine takes the secret out of what a secret's file holds: one line, its end
// optional.
func oneLine(b []byte) (Secret, bool) {
	s := strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	return Secret(s), !strings.ContainsAny(s, "\n\r\x00")
}
