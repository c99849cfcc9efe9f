// Package sourceurl reads the addresses and options in the text of a source.
package sourceurl

import (
	"fmt"
	"net/url"
	"strings"

	"camqtt/internal/redact"
)

// Option is one key=value of those that stand behind the ? or # of a source.
type Option struct {
	Key, Value string
	Given      bool // there was a "="
}

// EachOption hands over the options in "a=1&b=2", in the order in which they are
// written. Percent escapes are undone; a plus sign stays one, because it is part
// of numbers and of base64. take returns which option it was, by the name that
// does not depend on how it is spelt: none may be given twice, since one of the
// two would be ignored.
func EachOption(text string, take func(Option) (name string, err error)) error {
	seen := map[string]bool{}
	for pair := range strings.SplitSeq(text, "&") {
		if pair == "" {
			continue
		}
		key, value, given := strings.Cut(pair, "=")
		key, err := url.PathUnescape(key)
		if err != nil {
			return fmt.Errorf("options: %w", err)
		}
		if value, err = url.PathUnescape(value); err != nil {
			return fmt.Errorf("%s: %w", redact.Line(key), err)
		}
		name, err := take(Option{key, value, given})
		if err != nil {
			return err
		}
		if seen[name] {
			return fmt.Errorf("%s is given twice", redact.Line(key))
		}
		seen[name] = true
	}
	return nil
}
