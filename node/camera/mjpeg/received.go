package mjpeg

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

const (
	beginKept  = 256 // bytes of what came first that are remembered
	beginShown = 48  // bytes of those that are shown as text
	beginHex   = 16  // or as numbers
)

// Received counts what comes from a camera or a program and remembers how it
// began, so that an error can say it. It is safe for use by several goroutines.
type Received struct {
	mu    sync.Mutex
	n     int64
	begin []byte
}

// Reader is r, counted.
func (c *Received) Reader(r io.Reader) io.Reader { return countedReader{r, c} }

type countedReader struct {
	r  io.Reader
	of *Received
}

func (c countedReader) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	c.of.n += int64(n)
	if room := beginKept - len(c.of.begin); room > 0 {
		c.of.begin = append(c.of.begin, b[:min(n, room)]...)
	}
	return n, err
}

// Bytes is how many came.
func (c *Received) Bytes() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

// Describe says how many bytes came and how they began. Text is shown without
// the secrets that line takes out.
func (c *Received) Describe(line func(string) string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == 0 {
		return "no byte"
	}
	return fmt.Sprintf("%d bytes that begin with %s", c.n, showBytes(c.begin, line))
}

// showBytes is the begin of b as text in quotes, or as hexadecimal numbers where it
// is none.
func showBytes(b []byte, line func(string) string) string {
	if isText(b) {
		text := line(string(b))
		if len(text) > beginShown {
			text = strings.ToValidUTF8(text[:beginShown], "") + " ..."
		}
		return fmt.Sprintf("%q", text)
	}
	return fmt.Sprintf("% x", b[:min(len(b), beginHex)])
}

// isText goes by the characters; the last may be cut off.
func isText(b []byte) bool {
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n <= 1 {
			return !utf8.FullRune(b[i:])
		}
		if !unicode.IsPrint(r) && !unicode.IsSpace(r) {
			return false
		}
		i += n
	}
	return len(b) > 0
}
