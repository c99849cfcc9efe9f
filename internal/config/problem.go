package config

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Problem is one thing that is wrong with a configuration. It holds no secret
// and is one line.
type Problem struct {
	// File is the YAML file, "environment", or "-c" for a key=value argument.
	File string
	// Line counts from 1; 0 where there are no lines.
	Line int
	// Key is the dotted key, such as cameras.front.fps, or the name of the
	// environment variable; "" when it is about the file as a whole.
	Key string
	// Text says what was got and what would be right.
	Text string
}

// Error writes the problem as "file:line: key: text", without the parts that it
// does not have.
func (p Problem) Error() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		b.WriteString(":" + strconv.Itoa(p.Line))
	}
	if p.Key != "" {
		b.WriteString(": " + p.Key)
	}
	b.WriteString(": " + p.Text)
	return b.String()
}

// Problems is everything that is wrong with a configuration, sorted by file and
// line. It is the error of [Load].
type Problems []Problem

// Error lists the problems, one per line.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, one := range p {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns each problem as an error of its own.
func (p Problems) Unwrap() []error {
	errs := make([]error, len(p))
	for i, one := range p {
		errs[i] = one
	}
	return errs
}

func (p Problems) sort() {
	slices.SortStableFunc(p, func(a, b Problem) int {
		return cmp.Or(strings.Compare(a.File, b.File), a.Line-b.Line)
	})
}

// origin is where a value came from.
type origin struct {
	file string
	line int
	key  string // as people know it there
}

func (o origin) problem(text string) Problem {
	return Problem{File: o.file, Line: o.line, Key: o.key, Text: text}
}

// shownKey makes a key from a file fit for one line of output.
func shownKey(s string) string {
	odd := func(r rune) bool { return !unicode.IsGraphic(r) || unicode.IsSpace(r) || r == unicode.ReplacementChar }
	if len(s) > 64 {
		s = strings.ToValidUTF8(s[:64], "") + "..."
	}
	if s == "" || strings.ContainsFunc(s, odd) {
		return strconv.QuoteToASCII(s)
	}
	return s
}
