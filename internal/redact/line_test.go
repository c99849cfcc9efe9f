package redact_test

import (
	"strings"
	"testing"

	"camqtt/internal/redact"
)

func TestLine(t *testing.T) {
	for in, want := range map[string]string{
		" a\tb\r\n c \n":                  "a b c",
		"\x1b[1;31mred\x1b[0m \x07bell":   "red bell",
		"\xff\xfebad \u202eutf-8\x00 end": "??bad utf-8 end",
		strings.Repeat("ä", 300):          strings.Repeat("ä", 150) + " ...",
		strings.Repeat("€", 300):          strings.Repeat("€", 100) + " ...",
		"":                                "",
	} {
		if got := redact.Line(in); got != want {
			t.Errorf("redact.Line(%q) = %q, want %q", in, got, want)
		}
	}
}
