package config

import (
	"errors"
	"fmt"
	"strings"
)

// scheme is one kind of camera source.
type scheme struct {
	name  string
	form  string // how it is written
	built bool   // whether this build has it
}

func schemes() []scheme {
	return []scheme{
		{"test", "test:640x480", true},
		{"dir", "dir:/path", true},
		{"exec", "exec:program arguments", true},
		{"http", "http://host/path", true},
		{"https", "https://host/path", true},
		{"v4l2", "v4l2:/dev/video0", true},
		{"rpicam", "rpicam:0", false},
		{"push", "push", true},
		{"ffmpeg", "ffmpeg:rtsp://host/path", false},
	}
}

// sourceForms is how the sources that there are can be written.
func sourceForms() (forms []string) {
	for _, s := range schemes() {
		if s.built {
			forms = append(forms, s.form)
		}
	}
	return forms
}

// source looks at the scheme only; the rest is the camera's. Its errors repeat
// nothing else, because the rest may hold a password.
func source(s string) (any, error) {
	if _, err := text(s); err != nil {
		return nil, err
	}
	forms := sourceForms()
	want := "want " + strings.Join(forms[:len(forms)-1], ", ") + " or " + forms[len(forms)-1]
	if s == "" {
		return nil, errors.New("is empty: " + want)
	}
	name, rest, ok := strings.Cut(s, ":")
	bare := !ok && (strings.EqualFold(s, "test") || strings.EqualFold(s, "v4l2") || strings.EqualFold(s, "push")) // "source: test:" is no YAML without quotes
	if !ok && !bare || name == "" || strings.ContainsFunc(name, notInScheme) {
		return nil, errors.New("has no scheme: " + want)
	}
	for _, known := range schemes() {
		if !strings.EqualFold(known.name, name) {
			continue
		}
		switch {
		case !known.built:
			return nil, fmt.Errorf("the source %s is not in this build yet: %s", known.name, want)
		case known.name != "test" && known.name != "v4l2" && known.name != "push" && strings.Trim(rest, "/ ") == "":
			return nil, fmt.Errorf("nothing follows %s: want such as %s", known.name, known.form)
		}
		return s, nil
	}
	return nil, fmt.Errorf("unknown scheme %.20q: %s", name, want)
}

func notInScheme(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("+-_", r))
}
