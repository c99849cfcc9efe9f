package mqtt

import (
	"strings"
	"unicode/utf8"
)

// Printable reports whether UTF-8 is free of control characters and non-characters,
// which MQTT advises against. [MQTT-1.5.4]
func Printable(b []byte) bool {
	for i := 0; i < len(b); {
		if c := b[i]; c < 0x80 {
			if c < 0x20 || c == 0x7f {
				return false
			}
			i++
			continue
		}
		r, n := utf8.DecodeRune(b[i:])
		if r < 0xa0 || r >= 0xfdd0 && r <= 0xfdef || r&0xfffe == 0xfffe {
			return false
		}
		i += n
	}
	return true
}

// HasWildcard reports whether a string contains a wildcard character.
func HasWildcard(s string) bool { return strings.ContainsAny(s, "+#") }

// ValidWildcards reports whether every wildcard of a filter is where it may be.
// [MQTT-4.7.1-1], [MQTT-4.7.1-2]
func ValidWildcards(filter string) bool {
	for left := filter; left != ""; {
		level, rest, more := strings.Cut(left, "/")
		if HasWildcard(level) && (len(level) > 1 || level == "#" && more) {
			return false
		}
		left = rest
	}
	return true
}

// Matches reports whether a topic matches a filter that is not shared. [MQTT-4.7.1-2],
// [MQTT-4.7.1-3], [MQTT-4.7.2-1]
func Matches(filter, topic string) bool {
	if filter == "" || topic == "" || topic[0] == '$' && filter[0] != '$' {
		return false
	}
	for {
		f, fRest, fMore := strings.Cut(filter, "/")
		if f == "#" {
			return true
		}
		t, tRest, tMore := strings.Cut(topic, "/")
		if f != "+" && f != t {
			return false
		}
		if !tMore {
			return !fMore || fRest == "#" // the parent level belongs to "#"
		}
		if !fMore {
			return false
		}
		filter, topic = fRest, tRest
	}
}

// SplitShared takes a shared subscription apart. Brokers accept the prefix in any case of
// letters, so it is recognised likewise. [MQTT-4.8.2-1]
func SplitShared(s string) (group, filter string, shared bool) {
	prefix, rest, found := strings.Cut(s, "/")
	if !strings.EqualFold(prefix, "$share") {
		return "", "", false
	}
	if !found {
		return "", "", true
	}
	group, filter, _ = strings.Cut(rest, "/")
	return group, filter, true
}
