package camera

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// masked stands where a secret was.
const masked = "***"

// secretPatterns find secrets that are not in the user part of a URL; the first
// group is the secret.
var secretPatterns = []*regexp.Regexp{
	// password=..., as in the query of many snapshot URLs, or --password=...
	regexp.MustCompile(`(?i)(?:password|passwd|passwort|passphrase|pass|pwd|secret|token|api[_-]?key)=("[^"]*"|'[^']*'|[^&\s"';]+)`),
	// --password ...
	regexp.MustCompile(`(?i)(?:^|\s)--?(?:password|passwd|pass|secret|token)\s+("[^"]*"|'[^']*'|[^\s"']+)`),
	// curl -u user:...
	regexp.MustCompile(`(?:^|\s)(?:-u\s*|--user[ =]\s*|--proxy-user[ =]\s*)["']?[^\s:"'/]+:([^\s"']+)`),
	// a header in an argument
	regexp.MustCompile(`(?i)authorization:\s*\w+\s+([^\s"'\\]+)`),
}

// Mask is the source with any password in it replaced by ***: in the user part of
// a URL anywhere in it, in query values and options that are called password,
// token and the like, and in authorization headers. It rather hides too much.
func Mask(source string) string {
	spans := secretSpans(source)
	var out strings.Builder
	from := 0
	for _, s := range spans {
		if s[0] < from {
			continue // inside the one before
		}
		out.WriteString(source[from:s[0]])
		out.WriteString(masked)
		from = s[1]
	}
	out.WriteString(source[from:])
	return out.String()
}

// secretSpans is where in s the secrets are, sorted, wider ones first.
func secretSpans(s string) [][2]int {
	spans := userSpans(s)
	for _, p := range secretPatterns {
		for _, m := range p.FindAllStringSubmatchIndex(s, -1) {
			spans = append(spans, [2]int{m[2], m[3]})
		}
	}
	slices.SortFunc(spans, func(a, b [2]int) int {
		if a[0] != b[0] {
			return a[0] - b[0]
		}
		return b[1] - a[1]
	})
	return spans
}

// userSpans is where the passwords of "://user:password@" are.
func userSpans(s string) (spans [][2]int) {
	for at := 0; ; {
		i := strings.Index(s[at:], "://")
		if i < 0 {
			return spans
		}
		start := at + i + len("://")
		at = start
		end := start + tokenLen(s[start:], " \t\r\n\"'<>|")
		authority := start + tokenLen(s[start:end], "/?#")
		colon := strings.IndexByte(s[start:authority], ':')
		if colon < 0 {
			continue
		}
		sign := strings.LastIndexByte(s[start:authority], '@')
		if sign < 0 {
			// A password with a raw slash, or a port and an @ in the path: one
			// cannot tell, so it is hidden.
			sign = strings.LastIndexByte(s[start:end], '@')
		}
		if sign > colon+1 {
			spans = append(spans, [2]int{start + colon + 1, start + sign})
			at = start + sign
		}
	}
}

// tokenLen is how far s goes without any of the characters in stop.
func tokenLen(s, stop string) int {
	if i := strings.IndexAny(s, stop); i >= 0 {
		return i
	}
	return len(s)
}

// redactor makes texts of others fit to be shown: it knows a source's own
// passwords, which programs repeat in forms that Mask cannot recognise.
type redactor struct{ words []string }

func newRedactor(source string) redactor {
	var r redactor
	for _, s := range secretSpans(source) {
		word := strings.Trim(source[s[0]:s[1]], `"'`)
		plain, err := url.PathUnescape(word)
		if err != nil {
			plain = word
		}
		for _, w := range []string{word, plain} {
			// Shorter ones would be found in words that are no secret.
			if len(w) >= 3 && !slices.Contains(r.words, w) {
				r.words = append(r.words, w)
			}
		}
	}
	return r
}

// line is one clean line of s without passwords.
func (r redactor) line(s string) string {
	for _, w := range r.words {
		s = strings.ReplaceAll(s, w, masked)
	}
	return clean(Mask(s))
}
