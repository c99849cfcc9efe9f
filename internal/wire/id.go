package wire

import "fmt"

// ID names one camera: 1 to 32 of a-z, 0-9, "_" and "-", the first a letter or
// a digit. Make one with [ParseID]. Nothing else is allowed because ids travel
// in topics, file names, URLs and Home Assistant entity ids, and because some
// brokers rewrite dots and close the connection on blanks.
type ID string

// MaxIDLength is the greatest length of an id in bytes.
const MaxIDLength = 32

// ParseID reports whether s can be a camera id, and if not, what is wrong.
func ParseID(s string) (ID, error) {
	if s == "" {
		return "", fmt.Errorf("camera id is empty: want 1 to %d of a-z 0-9 _ -", MaxIDLength)
	}
	for i, r := range s {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
		case (r == '_' || r == '-') && i > 0:
		case r == '_' || r == '-':
			return "", fmt.Errorf("camera id %.40q begins with %q: want a letter or a digit first", s, r)
		case r >= 'A' && r <= 'Z':
			return "", fmt.Errorf("camera id %.40q has the capital %q: want only a-z 0-9 _ -", s, r)
		default:
			return "", fmt.Errorf("camera id %.40q has the character %q: want only a-z 0-9 _ -", s, r)
		}
	}
	if len(s) > MaxIDLength {
		return "", fmt.Errorf("camera id %.40q has %d characters: want at most %d", s, len(s), MaxIDLength)
	}
	return ID(s), nil
}

// IsID reports whether s can be a camera id, without a word about what is wrong and
// without allocating, for where it is asked of every message.
func IsID(s string) bool {
	if s == "" || len(s) > MaxIDLength || s[0] == '_' || s[0] == '-' {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' && c != '-' {
			return false
		}
	}
	return true
}
