package config

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// fault is what makes a text no YAML.
type fault struct {
	line int
	text string
}

// parse reads the one document of a file; nil is an empty one.
func parse(b []byte) (*yaml.Node, *fault) {
	first, second, err := decode(b)
	switch {
	case err != nil:
		return nil, explain(b, err)
	case second != nil:
		return nil, &fault{second.Line, "a second document begins here: want one per file"}
	case first == nil || len(first.Content) == 0:
		return nil, nil
	}
	return first.Content[0], nil
}

// decode reads up to two documents; nil is one that is not there.
func decode(b []byte) (first, second *yaml.Node, err error) {
	defer func() {
		// The library answers what it did not expect with a panic. A file must
		// not be able to end the program.
		if r := recover(); r != nil {
			err = errors.New("yaml: cannot be understood")
		}
	}()
	dec := yaml.NewDecoder(bytes.NewReader(b))
	for _, doc := range []**yaml.Node{&first, &second} {
		var n yaml.Node
		if err := dec.Decode(&n); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, nil, err
		}
		*doc = &n
	}
	return first, second, nil
}

var complaintForm = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// explain puts the library's complaint into words. Some repeat what stands in the
// file, which may be a password that should have been quoted.
func explain(b []byte, err error) *fault {
	message, line := err.Error(), 1
	if m := complaintForm.FindStringSubmatch(message); m != nil {
		message = message[len(m[0]):]
		if n, err := strconv.Atoi(m[1]); err == nil {
			line = n
		}
	}
	at := faultyLine(b, line)
	if kind := bareKind(b, at); kind != "" {
		return &fault{at, kind + ": ends with a colon, which YAML takes for a key. Try: source: " + kind}
	}
	switch {
	case strings.Contains(message, "unknown anchor"):
		message = "a * begins an alias that nothing here defines: put text that begins with * in quotes"
	case strings.Contains(message, "tag"):
		message = "a ! begins a tag that is not known: put text that begins with ! in quotes"
	case strings.Contains(message, "cannot start any token"):
		message += " (indent with blanks, not with tabs, and put text with special characters in quotes)"
	case strings.Contains(message, "mapping values are not allowed"):
		message += " (is a line indented too far, or does text with a colon lack quotes?)"
	case strings.Contains(message, "did not find expected key"):
		message += " (is a line not indented as its neighbours are, or does a quote stand inside quotes?)"
	}
	return &fault{at, "not YAML: " + message}
}

// bareKindForm is a source that is a kind with a colon and nothing else.
var bareKindForm = regexp.MustCompile(`\bsource:[ \t]+([A-Za-z0-9]+):[ \t]*(?:$|[,}#])`)

// bareKind returns the kind of source that a line has with an unquoted colon behind it,
// of those that need nothing there; "" for none.
func bareKind(b []byte, line int) string {
	lines := bytes.Split(b, []byte("\n"))
	if line < 1 || line > len(lines) {
		return ""
	}
	m := bareKindForm.FindSubmatch(bytes.TrimRight(lines[line-1], "\r"))
	if m == nil || !alone(string(m[1])) {
		return ""
	}
	return string(m[1])
}

// searchBytes bounds how much is parsed to find one line.
const searchBytes = 4 << 20

// faultyLine is the first line without which what comes before it would be YAML.
// The library often tells where the map or list began that the line is in, so the
// search begins at the line it tells.
func faultyLine(b []byte, told int) int {
	good, size, parsed := told-1, 0, 0
	for n := 1; ; n++ {
		length := bytes.IndexByte(b[size:], '\n')
		if length < 0 {
			return good + 1
		}
		size += length + 1
		if n < told {
			continue
		}
		if parsed += size; parsed > searchBytes {
			return good + 1
		}
		if _, _, err := decode(b[:size]); err == nil {
			good = n
		}
	}
}
