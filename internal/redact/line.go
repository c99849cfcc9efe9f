package redact

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxLine bounds a line of what a camera, a program or a server says, in bytes.
const MaxLine = 300

// Line is s as one printable line of at most [MaxLine] bytes, without terminal
// sequences and control characters.
func Line(s string) string { return shorten(printable(s)) }

// Line is one printable line of s without secrets.
func (r Redactor) Line(s string) string { return shorten(r.Text(printable(s))) }

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

// shorten cuts a line at MaxLine.
func shorten(line string) string {
	if len(line) <= MaxLine {
		return line
	}
	cut := MaxLine
	for !utf8.RuneStart(line[cut]) {
		cut--
	}
	return line[:cut] + " ..."
}
