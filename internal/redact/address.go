package redact

import (
	"net/url"
	"strconv"
	"strings"
)

// Address is the scheme, host and port of an address of a camera or a broker.
// User, password, path, query and fragment are left out, and *** says that there
// was a path or more. Where it cannot be told which part is the host, as with an @
// behind a slash, the host is left out too.
func Address(s string) string {
	if s == "" {
		return ""
	}
	a := parse(s)
	out := a.prefix
	if a.host == "" || a.unsure {
		return out + Mask
	}
	out += a.host
	if strings.Trim(a.tail, "/") != "" {
		return out + "/" + Mask
	}
	return out + a.tail
}

// Template is an address with *** in place of the password and of every value in
// the query, for a person who puts them back.
func Template(s string) string {
	if !strings.ContainsAny(s, "@?") {
		return s
	}
	a := parse(s)
	u, err := url.Parse(s)
	if err != nil || a.unsure || u.Host == "" {
		return Address(s)
	}
	user := ""
	if u.User != nil {
		user = url.User(u.User.Username()).String()
		if password, _ := u.User.Password(); password != "" {
			user += ":" + Mask
		}
		user += "@"
	}
	out := u.Scheme + "://" + user + u.Host + u.EscapedPath()
	if u.RawQuery != "" {
		var pairs []string
		for pair := range strings.SplitSeq(u.RawQuery, "&") {
			key, value, _ := strings.Cut(pair, "=")
			if value != "" {
				pair = key + "=" + Mask
			}
			pairs = append(pairs, pair)
		}
		out += "?" + strings.Join(pairs, "&")
	}
	if u.Fragment != "" {
		out += "#" + u.EscapedFragment()
	}
	return out
}

// Source is a camera's source as it may be shown: of an address the scheme, host
// and port, of a command line the program, and all of what names a part of this
// machine.
func Source(s string) string {
	kind, rest, _ := strings.Cut(s, ":")
	switch strings.ToLower(kind) {
	case "test", "dir", "v4l2", "rpicam", "push":
		return s
	case "exec":
		words := strings.Fields(rest)
		switch {
		case len(words) == 0:
			return s
		case strings.Contains(words[0], "://"), strings.ContainsAny(words[0], `"'=@?;,&|$`+"`"):
			return kind + ":" + Mask
		case len(words) > 1:
			return kind + ":" + words[0] + " " + Mask
		}
		return kind + ":" + words[0]
	case "mqtt":
		topic, text, found := strings.Cut(rest, "?")
		if found && text != "" {
			topic += "?" + Mask
		}
		return kind + ":" + topic
	case "ffmpeg":
		if isPath(rest) || !strings.ContainsAny(rest, ":@?=&") {
			return s
		}
		return kind + ":" + Address(rest)
	}
	return Address(s)
}

// isPath reports whether s is the path of a file and no address.
func isPath(s string) bool {
	return (strings.HasPrefix(s, "/") || strings.HasPrefix(s, "./") || strings.HasPrefix(s, "~/")) &&
		!strings.HasPrefix(s, "//") && !strings.ContainsAny(s, "@?") && !strings.Contains(s, "://")
}

// parsed is an address taken apart without trust in its form.
type parsed struct {
	prefix string // scheme and slashes; "" if there are none
	user   string // up to the last @ of the authority
	host   string // with port; "" where it is none
	tail   string // path, query, fragment
	unsure bool   // the host may be part of a password
}

// parse takes an address apart: s holds nothing else.
func parse(s string) (a parsed) {
	rest := s
	if i := strings.IndexByte(s, ':'); i > 0 && isScheme(s[:i]) && strings.HasPrefix(s[i+1:], "/") {
		rest = strings.TrimPrefix(strings.TrimPrefix(s[i+1:], "/"), "/")
		a.prefix = s[:i] + "://"
	}
	if isPath(rest) && (a.prefix == "" || a.prefix == "unix://" || a.prefix == "file://") {
		a.host = rest // a part of this machine
		return a
	}
	end := strings.IndexAny(rest, `/?#\`)
	if end < 0 {
		end = len(rest)
	}
	authority := rest[:end]
	a.tail = rest[end:]
	a.unsure = strings.Contains(a.tail, "@")
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		a.user, authority = authority[:at], authority[at+1:]
	}
	if isHost(authority) {
		a.host = authority
	}
	return a
}

// isScheme goes by RFC 3986, 3.1.
func isScheme(s string) bool {
	return s != "" && isLetter(s[0]) && strings.IndexFunc(s, func(r rune) bool {
		return r > 'z' || !isLetter(byte(r)) && !isDigit(byte(r)) && !strings.ContainsRune("+-.", r)
	}) < 0
}

// isHost reports whether s is a host name or address, with or without a port.
func isHost(s string) bool {
	host, port := s, ""
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']')
		if end < 0 || strings.Trim(s[1:end], "0123456789abcdefABCDEF:.%") != "" && !strings.Contains(s[1:end], "%") {
			return false
		}
		host, port = "x", s[end+1:]
	} else if i := strings.IndexByte(s, ':'); i >= 0 {
		host, port = s[:i], s[i:]
	}
	if port != "" {
		if n, err := strconv.ParseUint(strings.TrimPrefix(port, ":"), 10, 16); err != nil || n == 0 {
			return false
		}
	}
	return host != "" && strings.IndexFunc(host, func(r rune) bool {
		return r > 'z' || !isLetter(byte(r)) && !isDigit(byte(r)) && !strings.ContainsRune("._-", r)
	}) < 0
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
