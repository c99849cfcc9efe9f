package camera

import (
	"fmt"
	"net/url"
	"strings"
)

// option is one key=value of those that stand behind the ? or # of a source.
type option struct {
	key, value string
	given      bool // there was a "="
}

// eachOption hands over the options in "a=1&b=2", in the order in which they are
// written. Percent escapes are undone; a plus sign stays one, because it is part
// of numbers and of base64. take returns which option it was, by the name that
// does not depend on how it is spelt: none may be given twice, since one of the
// two would be ignored.
func eachOption(text string, take func(option) (name string, err error)) error {
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
			return fmt.Errorf("%s: %w", clean(key), err)
		}
		name, err := take(option{key, value, given})
		if err != nil {
			return err
		}
		if seen[name] {
			return fmt.Errorf("%s is given twice", clean(key))
		}
		seen[name] = true
	}
	return nil
}
