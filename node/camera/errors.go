package camera

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"camqtt/internal/redact"
)

// Code says in one word why a camera does not deliver. topics.md: codes of
// result and of state.error.
type Code string

// The codes.
const (
	// NoCamera: it is not there, or went away. It may come back.
	NoCamera Code = "no_camera"
	// CameraBusy: it is there, and somebody else has it.
	CameraBusy Code = "camera_busy"
	// Stalled: it is open and has stopped delivering, or delivers broken pictures
	// only. That nothing comes sources may leave to their caller to find out.
	Stalled Code = "stalled"
	// Config: it cannot work before somebody changes the configuration.
	Config Code = "config"
)

// Error is why a Stream ended by itself.
type Error struct {
	Code Code
	// Text is a sentence for people, without passwords and control characters.
	Text string
	// Denied means that the camera refuses the user or the password. Cameras lock an
	// account after several tries.
	Denied bool
	// Err is the cause, or nil. Its text may hold what Text leaves out.
	Err error
}

// Error is the text.
func (e *Error) Error() string { return e.Text }

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Err }

// CodeOf is the code of the first *Error in err's chain; NoCamera when there is
// none, and "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok && e.Code != "" {
		return e.Code
	}
	return NoCamera
}

func configError(format string, a ...any) *Error {
	return &Error{Code: Config, Text: fmt.Sprintf(format, a...)}
}

// maxText bounds what a camera, a program or a server can make us say, in bytes.
const maxText = 300

// clean makes one printable line of what somebody else has written: without
// terminal sequences and control characters, and not too long.
func clean(s string) string { return shorten(printable(s)) }

// printable is s as one line without terminal sequences and control characters.
func printable(s string) string {
	var out strings.Builder
	for esc := false; s != ""; {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == '\x1b' && strings.HasPrefix(s[n:], "["):
			esc, n = true, n+1
		case esc:
			esc = r < '@' || r > '~'
		case unicode.IsSpace(r):
			out.WriteByte(' ')
		case r == utf8.RuneError && n <= 1:
			out.WriteByte('?')
		case unicode.IsPrint(r):
			out.WriteRune(r)
		}
		s = s[n:]
	}
	return strings.Join(strings.Fields(out.String()), " ")
}

// shorten cuts a line at maxText.
func shorten(line string) string {
	if len(line) <= maxText {
		return line
	}
	cut := maxText
	for !utf8.RuneStart(line[cut]) {
		cut--
	}
	return line[:cut] + " ..."
}

// redactor makes texts of programs and cameras fit to be shown.
type redactor struct{ redact.Redactor }

func newRedactor(source string) redactor { return redactor{redact.New(source)} }

// line is one printable line of s without secrets.
func (r redactor) line(s string) string { return shorten(r.Text(printable(s))) }
