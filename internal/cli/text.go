package cli

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
)

// printable makes text from a camera safe for a terminal: no control or
// direction characters, no more than 120 of them.
func printable(s string) string {
	s = oneLine(s)
	if r := []rune(s); len(r) > 120 {
		s = string(r[:120]) + "..."
	}
	return s
}

// harmless makes text that has come from outside, a camera's words or the names in a
// certificate, safe for a terminal; lines stay as they are.
func harmless(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && !unicode.IsGraphic(r) {
			return '?'
		}
		return r
	}, s)
}

// oneLine is harmless for text that may not make lines of its own.
func oneLine(s string) string { return strings.ReplaceAll(harmless(s), "\n", "?") }

// escaped writes JSON so that a terminal shows it and does not obey it: what encoding/json
// leaves of control and direction characters can only be in its strings.
func escaped(json string) string {
	var b strings.Builder
	for _, r := range json {
		switch {
		case r == '\n' || unicode.IsGraphic(r):
			b.WriteRune(r)
		case r > 0xffff:
			hi, lo := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, hi, lo)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}
