package config

import (
	"cmp"
	"fmt"
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
	// environment variable; "" for a problem of the whole file.
	Key string
	// Text says what was got and what is wanted.
	Text string
}

// Error writes the problem as "file:line: key: text", without the parts that it
// does not have.
func (p Problem) Error() string {
	place := p.File
	if p.Line > 0 {
		place += ":" + strconv.Itoa(p.Line)
	}
	if p.Key != "" {
		place += ": " + p.Key
	}
	return place + ": " + p.Text
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

// origin is the place that a value came from.
type origin struct {
	file string
	line int
	key  string // as written there
}

// Names of sources that are not files.
const (
	fromEnvironment = "environment"
	fromArguments   = "-c"
)

// report collects problems, and where each key was given.
type report struct {
	origins  map[string]origin // of each key and section that was given
	refused  map[string]bool   // keys whose last value was refused
	problems Problems
}

func newReport() *report { return &report{origins: map[string]origin{}, refused: map[string]bool{}} }

func (r *report) add(at origin, text string) {
	r.problems = append(r.problems, Problem{File: at.file, Line: at.line, Key: at.key, Text: text})
}

func (r *report) addf(at origin, format string, args ...any) { r.add(at, fmt.Sprintf(format, args...)) }

// note keeps the place of a key unless it has one.
func (r *report) note(key string, at origin) {
	if _, ok := r.origins[key]; !ok {
		r.origins[key] = at
	}
}

// at is where a key was given, or where it would have been.
func (r *report) at(key string) origin {
	for up := key; ; {
		if o, ok := r.origins[up]; ok {
			if up != key && o.file != fromEnvironment {
				o.key = key
			}
			return o
		}
		if up == "" {
			return origin{file: "configuration", key: key}
		}
		up, _ = cutLast(up)
	}
}

// refuse reports a key, unless a value that the judgement depends on was refused before.
func (r *report) refuse(key, text string, dependsOn ...string) {
	if r.sound(dependsOn...) {
		r.add(r.at(key), text)
	}
}

// sound reports whether none of the keys had a value that was refused.
func (r *report) sound(keys ...string) bool {
	return !slices.ContainsFunc(keys, func(k string) bool { return r.refused[k] })
}

// sorted are the problems by file and line, with the files that a person edits.
func (r *report) sorted(c credentials) Problems {
	for i, p := range r.problems {
		r.problems[i].File, r.problems[i].Text = c.originals(p.File), c.originals(p.Text)
	}
	slices.SortStableFunc(r.problems, func(a, b Problem) int {
		return cmp.Or(strings.Compare(a.File, b.File), a.Line-b.Line)
	})
	return r.problems
}

// printableKey makes a key from a file fit for one line of output.
func printableKey(s string) string {
	odd := func(r rune) bool { return !unicode.IsGraphic(r) || unicode.IsSpace(r) || r == unicode.ReplacementChar }
	if len(s) > 64 {
		s = strings.ToValidUTF8(s[:64], "") + "..."
	}
	if s == "" || strings.ContainsFunc(s, odd) {
		return strconv.QuoteToASCII(s)
	}
	return s
}
