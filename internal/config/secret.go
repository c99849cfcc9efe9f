package config

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"strings"
)

// masked stands where a secret was.
const masked = "***"

// Secret is text that shows itself as *** to fmt, slog, JSON and YAML; string(s)
// is the text itself.
type Secret string

// String returns ***.
func (Secret) String() string { return masked }

// Format writes *** whatever the verb: fmt would show the text to those that are
// not for strings.
func (Secret) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, masked) } // fmt has nowhere to put an error

// LogValue returns ***.
func (Secret) LogValue() slog.Value { return slog.StringValue(masked) }

// MarshalJSON writes ***.
func (Secret) MarshalJSON() ([]byte, error) { return json.Marshal(masked) }

// MarshalText writes ***, for whatever else turns values into text.
func (Secret) MarshalText() ([]byte, error) { return []byte(masked), nil }

// MarshalYAML writes ***.
func (Secret) MarshalYAML() (any, error) { return masked, nil }

// secrets find what must not be shown in a source or a URL; group 1 stays, what
// follows it goes. They rather hide too much.
func secrets() []*regexp.Regexp {
	const value = `(?:"[^"]*"|'[^']*'|[^\s"'&;]+)`
	return []*regexp.Regexp{
		// user:password@, up to the last @ of the word because passwords are
		// often written without escaping what they should
		regexp.MustCompile(`(://[^\s"'/?#:@]*:)[^\s"']+@`),
		// token=..., as in queries and options
		regexp.MustCompile(`(?i)([a-z0-9_-]*(?:pass|pwd|secret|token|api[_-]?key|auth)[a-z0-9_-]*=)` + value),
		// --password ..., -p ...
		regexp.MustCompile(`(?i)((?:^|\s)--?(?:p|[a-z-]*(?:pass|pwd|secret|token|api-?key)[a-z-]*)\s+)` + value),
		// curl -u user:password
		regexp.MustCompile(`((?:^|\s)(?:-u|--user|--proxy-user)[\s=]*["']?[^\s:"']+:)[^\s"']+`),
		// a header in an argument
		regexp.MustCompile(`(?i)(authorization:\s*\w+\s+)[^\s"']+`),
		regexp.MustCompile(`(?i)((?:cookie|x-[a-z-]*(?:key|token)):\s*)[^"']+`),
	}
}

// mask is s without the secrets in it.
func mask(s string) string {
	for i, re := range secrets() {
		with := "${1}" + masked
		if i == 0 {
			with += "@"
		}
		s = re.ReplaceAllString(s, with)
	}
	return s
}

// oneLine takes the secret out of what a secret's file holds: one line, its end
// optional.
func oneLine(b []byte) (Secret, bool) {
	s := strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	return Secret(s), !strings.ContainsAny(s, "\n\r\x00")
}
