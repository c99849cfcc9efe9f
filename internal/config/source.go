package config

import (
	"errors"
	"fmt"
	"strings"

	"camqtt/node/camera/kinds"
)

// source looks at the scheme only; the rest is the camera's. Its errors repeat
// nothing else, because the rest may hold a password.
func source(s string) (any, error) {
	if _, err := text(s); err != nil {
		return nil, err
	}
	want := kinds.Want()
	if s == "" {
		return nil, errors.New("is empty: " + want)
	}
	name, rest, ok := strings.Cut(s, ":")
	kind, known := kinds.Find(name)
	switch {
	case known && kind.Bare:
		return s, nil // "source: test:" is no YAML without quotes
	case !ok || name == "" || strings.ContainsFunc(name, notInScheme):
		return nil, errors.New("has no scheme: " + want)
	case !known:
		return nil, fmt.Errorf("unknown scheme %.20q: %s", name, want)
	case strings.Trim(rest, "/ ") == "":
		return nil, fmt.Errorf("nothing follows %s: want such as %s", kind.Scheme, kind.Form)
	}
	return s, nil
}

// alone says whether nothing need follow a scheme.
func alone(scheme string) bool {
	kind, _ := kinds.Find(scheme)
	return kind.Bare
}

func notInScheme(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("+-_", r))
}
