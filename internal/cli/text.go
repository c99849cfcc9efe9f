package cli

import (
	"strings"
	"unicode"
)

// printable makes text from a camera safe for a terminal: no control or
// direction characters, no more than 120 of them.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) {
			return '?'
		}
		return r
	}, s)
	if r := []rune(s); len(r) > 120 {
		s = string(r[:120]) + "..."
	}
	return s
}
