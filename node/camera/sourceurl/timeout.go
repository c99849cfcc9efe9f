package sourceurl

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// longestTimeout bounds what can be asked for with timeout=.
const longestTimeout = 5 * time.Minute

// ParseTimeout reads the option timeout=.
func ParseTimeout(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil || d < time.Second || d > longestTimeout {
		return 0, fmt.Errorf("option timeout=%q: want how long the camera may take to answer, 1s to %s, such as 30s", s, longestTimeout)
	}
	return d, nil
}

// CutTimeout takes the option timeout= out of those behind a separator in the rest of a
// source. Without a separator there is none.
func CutTimeout(rest, separator string) (without string, timeout time.Duration, err error) {
	if separator == "" {
		return rest, 0, nil
	}
	before, text, found := strings.Cut(rest, separator)
	if separator != "?" && found { // a path and a command may hold it too: the last one counts
		i := strings.LastIndex(rest, separator)
		before, text = rest[:i], rest[i+len(separator):]
	}
	if !found || strings.Contains(text, "@") { // it belongs to a password
		return rest, 0, nil
	}
	var others []string
	for pair := range strings.SplitSeq(text, "&") {
		value, ok := strings.CutPrefix(pair, "timeout=")
		switch {
		case !ok:
			others = append(others, pair)
			continue
		case timeout > 0:
			return rest, 0, errors.New("timeout is given twice")
		}
		if timeout, err = ParseTimeout(value); err != nil {
			return rest, 0, err
		}
	}
	switch {
	case timeout == 0:
		return rest, 0, nil
	case len(others) == 0:
		return before, timeout, nil
	}
	return before + separator + strings.Join(others, "&"), timeout, nil
}
