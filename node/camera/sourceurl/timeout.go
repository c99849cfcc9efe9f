package sourceurl

import (
	"fmt"
	"time"
)

// longestTimeout bounds what can be asked for with timeout=.
const longestTimeout = 5 * time.Minute

// parseTimeout reads the option timeout=.
func ParseTimeout(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil || d < time.Second || d > longestTimeout {
		return 0, fmt.Errorf("option timeout=%q: want how long the camera may take to answer, 1s to %s, such as 30s", s, longestTimeout)
	}
	return d, nil
}
