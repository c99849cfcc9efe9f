package httpcam

import (
	"bytes"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// lenientConn is a connection to a camera. Web servers of cameras write heads that
// net/http refuses; it rewrites the head of each answer into one that is taken and
// leaves the body alone.
type lenientConn struct {
	net.Conn
	unmeasured func() bool // the lengths that the camera states are wrong

	mu       sync.Mutex
	awaiting bool   // a request was written and the head of its answer is not complete
	head     []byte // what has come of that head
	ready    []byte // rewritten, and not read yet
}

// Write sends a request, or a part of it.
func (c *lenientConn) Write(b []byte) (int, error) {
	c.mu.Lock()
	c.awaiting = true
	c.mu.Unlock()
	return c.Conn.Write(b)
}

// Read reads answers. A Read is mostly under way when the request is written, so
// whether a head comes is asked after it.
func (c *lenientConn) Read(b []byte) (int, error) {
	for {
		if n := c.take(b); n > 0 || len(b) == 0 {
			return n, nil
		}
		n, err := c.Conn.Read(b)
		c.mu.Lock()
		if !c.awaiting {
			c.mu.Unlock()
			return n, err
		}
		c.head = append(c.head, b[:n]...)
		head, done := rewriteHead(c.head, c.unmeasured())
		if err != nil && !done { // net/http says best what is wrong with it
			head, done = c.head, true
		}
		if done {
			c.ready, c.head, c.awaiting = head, nil, isInterim(head)
		}
		c.mu.Unlock()
		if err != nil && len(head) == 0 {
			return 0, err
		}
	}
}

// take reads what was rewritten.
func (c *lenientConn) take(b []byte) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := copy(b, c.ready)
	c.ready = c.ready[n:]
	return n
}

// isInterim says whether another head follows (RFC 9110, 15.2).
func isInterim(head []byte) bool { return bytes.HasPrefix(head, []byte("HTTP/1.1 10")) }

// bareHead is put before pictures that come without any head.
const bareHead = "HTTP/1.0 200 OK\r\n\r\n"

// statusLine is that of HTTP and of Shoutcast, with what cameras leave out.
var statusLine = regexp.MustCompile(`^(?i:http|icy)(?:/(\d+\.\d+))?\s+(\d{3})(?:(\D.*))?$`)

// statusCode is the code in the field Status of a script.
var statusCode = regexp.MustCompile(`^\d{3}`)

// rewriteHead returns b, the begin of an answer, with a head that net/http takes.
// Done is false as long as more bytes are needed. What is no HTTP at all comes back
// as it is. Unmeasured leaves Content-Length out.
func rewriteHead(b []byte, unmeasured bool) (out []byte, done bool) {
	text := bytes.TrimLeft(b, "\r\n")
	switch {
	case len(b) > maxHeader:
		return b, true
	case bytes.HasPrefix(text, []byte(startOfImage)), bytes.HasPrefix(text, []byte("--")):
		return append([]byte(bareHead), text...), true
	}
	line, rest, ended := cutLine(text)
	if !ended {
		return b, false
	}
	h := headWriter{unmeasured: unmeasured}
	if !h.begin(line) {
		return b, true
	}
	for {
		if bytes.HasPrefix(rest, []byte(startOfImage)) { // without the empty line
			break
		}
		if line, rest, ended = cutLine(rest); !ended {
			return b, false
		}
		if line == "" {
			break
		}
		h.add(line)
	}
	return append(h.bytes(rest), rest...), true
}

// startOfImage begins a JPEG: the marker SOI, and the first byte of the next one.
const startOfImage = "\xff\xd8\xff"

func cutLine(b []byte) (line string, rest []byte, ended bool) {
	i := bytes.IndexByte(b, '\n')
	if i < 0 {
		return "", b, false
	}
	return strings.TrimRight(string(b[:i]), "\r"), b[i+1:], true
}

// field is one of a head.
type field struct{ name, value string }

// headWriter puts a head together again.
type headWriter struct {
	unmeasured bool
	status     string
	fields     []field
}

// begin takes the first line. False: it begins no answer.
func (h *headWriter) begin(line string) bool {
	if m := statusLine.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
		h.setStatus(m[1], m[2], m[3])
		return true
	}
	name, value, ok := strings.Cut(line, ":")
	if name = strings.TrimSpace(name); !ok || !isToken(name) {
		return false
	}
	// A script that left the status to its server, which did not write it.
	code := "200"
	if m := statusCode.FindString(strings.TrimSpace(value)); strings.EqualFold(name, "status") && m != "" {
		code = m
	}
	h.setStatus("", code, "")
	h.add(line)
	return true
}

// setStatus takes version, code and reason. Shoutcast's answers are of HTTP/1.0.
func (h *headWriter) setStatus(version, code, reason string) {
	if version != "" && version != "0.9" && version != "1.0" {
		version = "1.1"
	} else {
		version = "1.0"
	}
	if reason = printableValue(reason); reason == "" {
		n, _ := strconv.Atoi(code) // digits, or net/http refuses it
		reason = http.StatusText(n)
	}
	h.status = "HTTP/" + version + " " + code + " " + reason
}

// add takes a further line. One that is no field is left out.
func (h *headWriter) add(line string) {
	if (line[0] == ' ' || line[0] == '\t') && len(h.fields) > 0 && !strings.Contains(line, ":") {
		last := &h.fields[len(h.fields)-1] // a folded one (RFC 9112, 5.2)
		last.value = strings.TrimSpace(last.value + " " + printableValue(line))
		return
	}
	name, value, ok := strings.Cut(line, ":")
	if name = strings.TrimSpace(name); !ok || !isToken(name) {
		return
	}
	h.fields = append(h.fields, field{name, printableValue(value)})
}

// isToken says whether s may be the name of a field (RFC 9110, 5.6.2).
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("!#$%&'*+-.^_`|~", r))
	})
}

// printableValue is the value of a field without blanks around it.
func printableValue(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r == 0x7f {
			return -1
		}
		return r
	}, s))
}

// bytes is the head, with the framing that fits to the begin of the body.
func (h *headWriter) bytes(body []byte) []byte {
	var out bytes.Buffer
	out.WriteString(h.frame(body) + "\r\n")
	for _, f := range h.fields {
		out.WriteString(f.name + ": " + f.value + "\r\n")
	}
	out.WriteString("\r\n")
	return out.Bytes()
}

// frame leaves out what net/http refuses of the fields that say how long the body
// is, and returns the status line.
func (h *headWriter) frame(body []byte) string {
	length, chunked, several := "", false, false
	parts := false
	h.fields = slices.DeleteFunc(h.fields, func(f field) bool {
		switch strings.ToLower(f.name) {
		case "content-length":
			for n := range strings.SplitSeq(f.value, ",") {
				n = strings.TrimSpace(n)
				several = several || length != "" && length != n
				length = n
			}
			return true
		case "transfer-encoding":
			chunked = chunked || strings.Contains(strings.ToLower(f.value), "chunked")
			return true
		case "content-type":
			parts = strings.HasPrefix(strings.ToLower(f.value), "multipart/")
		}
		return false
	})
	if chunked && !bytes.HasPrefix(body, []byte(startOfImage)) && !bytes.HasPrefix(body, []byte("--")) {
		h.fields = append(h.fields, field{"Transfer-Encoding", "chunked"})
		return strings.Replace(h.status, "HTTP/1.0", "HTTP/1.1", 1)
	}
	n, err := strconv.ParseUint(length, 10, 62)
	if err == nil && !several && !h.unmeasured && !(parts && n < shortestPart) {
		h.fields = append(h.fields, field{"Content-Length", length})
	}
	return h.status
}

// shortestPart is how long the body of a multipart answer is at least, in bytes:
// some cameras say that their endless one is empty.
const shortestPart = 32
