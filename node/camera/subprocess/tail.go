package subprocess

import (
	"bytes"
	"strings"
	"sync"

	"camqtt/internal/redact"
)

// tailSize is how much of what a program says is remembered, in bytes.
const tailSize = 4 << 10

// tail is a writer that takes everything and remembers the end.
type tail struct {
	mu  sync.Mutex
	b   []byte
	cut bool // something was forgotten
}

// Write never fails.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := len(p)
	if n > tailSize {
		p = p[n-tailSize:]
		t.cut = true
	}
	if over := len(t.b) + len(p) - tailSize; over > 0 {
		t.b = t.b[:copy(t.b, t.b[over:])]
		t.cut = true
	}
	t.b = append(t.b, p...)
	return n, nil
}

// String is what is remembered, without the piece of a word it may begin with:
// half a password would not be recognised as one.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.b
	if t.cut {
		i := bytes.IndexAny(b, " \t\r\n")
		if i < 0 {
			return ""
		}
		b = b[i:]
	}
	return string(b)
}

// lastLine is the last line that is not blank, or "". Carriage returns end lines
// too: programs draw progress with them.
func (t *tail) lastLine() string {
	lines := strings.FieldsFunc(t.String(), func(r rune) bool { return r == '\n' || r == '\r' })
	for i := len(lines) - 1; i >= 0; i-- {
		if line := redact.Line(lines[i]); line != "" {
			return lines[i]
		}
	}
	return ""
}
