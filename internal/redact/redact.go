// Package redact keeps secrets out of what the program says. It knows what the
// owner has written, an address or a command line, and takes every part of it that
// may be secret out of texts of others. It does not go by the names of keys: of an
// address only scheme, host and port are shown.
package redact

import (
	"cmp"
	"encoding/base64"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Mask stands where a secret was.
const Mask = "***"

// Redactor takes the secrets that it knows, and whatever looks like an address, out
// of texts. The zero value knows no secrets. Its methods may be called from several
// goroutines.
type Redactor struct{ words []word }

// word is one secret, in one of its forms.
type word struct {
	text  string
	alone bool // only where it is not part of a longer word
}

// New knows the secrets of a camera's source, as it is written, and others, such
// as the password from a file.
func New(source string, secrets ...string) Redactor {
	var c collector
	kind, rest, _ := strings.Cut(source, ":")
	switch strings.ToLower(kind) {
	case "test", "dir", "v4l2", "rpicam", "push":
	case "exec":
		c.script(rest)
	case "ffmpeg":
		c.address(withoutOptions(rest))
	case "mqtt":
		_, text, _ := strings.Cut(rest, "broker=")
		broker, _, _ := strings.Cut(text, "&")
		if plain, err := url.PathUnescape(broker); err == nil && plain != broker {
			c.address(plain)
		}
		c.address(broker)
	default:
		c.address(withoutOptions(source))
	}
	for _, s := range secrets {
		c.add(s, 1)
	}
	return c.redactor()
}

// options are those of this program behind the # of a source.
var options = regexp.MustCompile(`#(?:[a-z_]+=[^&@#]*)(?:&[a-z_]+=[^&@#]*)*$`)

// withoutOptions is an address without the options of this program, which no camera
// gets to see.
func withoutOptions(address string) string { return options.ReplaceAllString(address, "") }

// Command knows the secrets of a program's arguments.
func Command(argv ...string) Redactor {
	var c collector
	c.command(argv)
	return c.redactor()
}

// Text is s, one line, without secrets. The beginning and the end of s may be cut
// through a secret: what is left of it goes too.
func (r Redactor) Text(s string) string {
	s = r.ends(s)
	for _, w := range r.words {
		s = w.replace(s)
	}
	for _, p := range patterns {
		s = p.find.ReplaceAllStringFunc(s, p.mask)
	}
	return s
}

// patterns find what is an address or a credential by the grammar of a standard,
// in texts of programs that have secrets of their own.
var patterns = []struct {
	find *regexp.Regexp
	mask func(string) string
}{
	// RFC 3986: an address, up to what cannot be in one.
	{regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.-]*://[^\s"'<>|]*`), func(s string) string {
		cut := strings.TrimRight(s, ",.;:)]}!")
		if cut == "" || strings.HasSuffix(cut, "//") {
			return s
		}
		return Address(cut) + s[len(cut):]
	}},
	// RFC 9112, 3 and RFC 2326, 6.1: a request line.
	{regexp.MustCompile(`\b[A-Z_]{3,} \S+ (?:HTTP|RTSP)/[0-9]`), func(s string) string {
		method, rest, _ := strings.Cut(s, " ")
		return method + " " + Mask + rest[strings.LastIndexByte(rest, ' '):]
	}},
	// RFC 9110, 5: fields with credentials, and those that are no standard.
	{regexp.MustCompile(`(?:\b(?i:(?:proxy-)?authorization|(?:set-)?cookie)|\b[Xx]-[\w-]+|\b[A-Z][a-z0-9]*(?:-[A-Z][a-z0-9]*)+): *[^"']+`), func(s string) string {
		name, _, _ := strings.Cut(s, ":")
		return name + ": " + Mask
	}},
	// A path with a query, without the rest of its address.
	{regexp.MustCompile(`(?:^|[\s"'=(])/[^\s"'?]*\?[^\s"']+`), func(s string) string {
		i := strings.IndexByte(s, '/')
		return s[:i] + "/" + Mask
	}},
}

// replace is s without the word.
func (w word) replace(s string) string {
	if !w.alone {
		return strings.ReplaceAll(s, w.text, Mask)
	}
	var out strings.Builder
	for {
		i := strings.Index(s, w.text)
		if i < 0 {
			out.WriteString(s)
			return out.String()
		}
		end := i + len(w.text)
		if i > 0 && isWordByte(s[i-1]) || end < len(s) && isWordByte(s[end]) {
			out.WriteString(s[:i+1])
			s = s[i+1:]
			continue
		}
		out.WriteString(s[:i] + Mask)
		s = s[end:]
	}
}

func isWordByte(c byte) bool { return isLetter(c) || isDigit(c) || c >= 0x80 }

// leastPart is how much of a secret at the end of a text is taken for it.
const leastPart = 4

// ends is s without a part of a secret at its beginning or end.
func (r Redactor) ends(s string) string {
	for _, w := range r.words {
		for n := len(w.text) - 1; n >= leastPart; n-- {
			if strings.HasSuffix(s, w.text[:n]) {
				s = s[:len(s)-n] + Mask
				break
			}
		}
		for n := len(w.text) - 1; n >= leastPart; n-- {
			if strings.HasPrefix(s, w.text[len(w.text)-n:]) && (len(s) == n || !isWordByte(s[n])) {
				s = Mask + s[n:]
				break
			}
		}
	}
	return s
}

// collector gathers the secrets of an address or a command line.
type collector struct {
	words []word
	shown []string // hosts: these may be said
}

// address takes all but scheme, host and port of an address.
func (c *collector) address(s string) {
	a := parse(s)
	if a.unsure || a.host == "" {
		// Any of it may be the password.
		c.add(strings.TrimPrefix(s, a.prefix), leastPart)
		if at := strings.LastIndexByte(s, '@'); at > len(a.prefix) {
			c.add(s[len(a.prefix):at], 2)
			c.pieces(s[len(a.prefix):at], 2)
		}
		c.tail(a.tail)
		return
	}
	c.shown = append(c.shown, a.host)
	if name, _, ok := strings.Cut(a.host, ":"); ok {
		c.shown = append(c.shown, name)
	}
	if a.user != "" {
		c.add(a.user, 2)
		c.add(base64.StdEncoding.EncodeToString([]byte(lenient(a.user))), leastPart) // RFC 7617
		_, password, _ := strings.Cut(a.user, ":")
		c.add(password, 1)
		c.pieces(a.user, 2)
	}
	c.tail(a.tail)
}

// tail takes the path, query and fragment of an address.
func (c *collector) tail(s string) {
	path, query, _ := strings.Cut(s, "?")
	c.add(strings.Trim(s, "/"), leastPart)
	c.add(strings.Trim(path, "/"), leastPart)
	c.pieces(path, leastPart)
	for pair := range strings.FieldsFuncSeq(query, func(r rune) bool { return r == '&' || r == ';' || r == '#' }) {
		if _, value, ok := strings.Cut(pair, "="); ok {
			pair = value
		}
		if !isNumber(pair) || len(pair) >= leastPart {
			c.add(pair, 2)
			c.pieces(pair, leastPart)
		}
	}
}

// pieces takes the parts of s between the signs that part addresses and commands.
func (c *collector) pieces(s string, least int) {
	for _, p := range strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(" \t:;,=&/?@#\"'\\", r) }) {
		c.add(p, least)
	}
}

// leastInside is from how many bytes on a secret is looked for inside longer words.
const leastInside = 6

// escape is a byte as addresses write it (RFC 3986, 2.1); its digits are large or small.
var escape = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)

// add takes a secret in the forms in which programs repeat one, unless it is
// shorter than least bytes.
func (c *collector) add(s string, least int) {
	s = strings.Trim(s, " \t\"'")
	plain := lenient(s)
	quoted := strconv.Quote(plain)
	forms := []string{
		s, plain, strings.ReplaceAll(plain, "+", " "), url.QueryEscape(plain), url.PathEscape(plain),
		url.User(plain).String(), quoted[1 : len(quoted)-1],
	}
	for _, form := range forms {
		if strings.Contains(form, "%") {
			forms = append(forms, escape.ReplaceAllStringFunc(form, strings.ToLower), escape.ReplaceAllStringFunc(form, strings.ToUpper))
		}
	}
	for _, form := range forms {
		if len(form) >= least && strings.ContainsFunc(form, func(r rune) bool { return r > 0x7f || isWordByte(byte(r)) || !strings.ContainsRune("*-./", r) }) && !isOrdinary(form) {
			c.words = append(c.words, word{form, len(form) < leastInside})
		}
	}
}

// redactor is what knows all that was gathered, the longest first.
func (c *collector) redactor() Redactor {
	words := slices.DeleteFunc(c.words, func(w word) bool { return slices.Contains(c.shown, w.text) })
	slices.SortFunc(words, func(a, b word) int {
		return cmp.Or(len(b.text)-len(a.text), strings.Compare(a.text, b.text))
	})
	return Redactor{slices.CompactFunc(words, func(a, b word) bool { return a.text == b.text })}
}

// lenient undoes the percent escapes that are ones and leaves the rest alone.
func lenient(s string) string {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				out.WriteByte(byte(n))
				i += 2
				continue
			}
		}
		out.WriteByte(s[i])
	}
	return out.String()
}

func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789.") == "" }

// isOrdinary reports whether s is a word that programs and servers say of
// themselves, and that is part of many addresses and command lines.
func isOrdinary(s string) bool {
	return slices.Contains([]string{
		"api", "auto", "axis-cgi", "camera", "capture", "cgi", "cgi-bin", "false", "file", "frame", "http", "https", "image", "index",
		"jpeg", "live", "mjpeg", "mjpg", "mpjpeg", "picture", "rtsp", "snap", "snapshot", "snapshot.jpg", "status", "stream", "test",
		"true", "video", "yuv420p",
	}, strings.ToLower(s))
}
