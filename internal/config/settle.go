package config

import (
	"fmt"
	"time"
)

// Settle is for how long the first pictures of a camera may be left out until
// its exposure is steady; 0 is none. Below 0 it is left to the kind of source,
// which is written "auto".
type Settle time.Duration

const (
	settleAuto Settle = -1
	mostSettle        = 10 * time.Second
)

// String is how it is written in YAML.
func (s Settle) String() string {
	if s < 0 {
		return "auto"
	}
	return shortDuration(time.Duration(s))
}

func settle(s string) (any, error) {
	if s == "auto" {
		return settleAuto, nil
	}
	d, err := duration(s)
	if err == nil && d > mostSettle {
		err = fmt.Errorf("duration %.40q: want auto, or 0 to 10s", s)
	}
	if err != nil {
		return nil, err
	}
	return Settle(d), nil
}
