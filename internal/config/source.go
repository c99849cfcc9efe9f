package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// scheme is one kind of camera source.
type scheme struct {
	name string
	form string // how it is written
}

func schemes() []scheme {
	return []scheme{
		{"test", "test:640x480"},
		{"dir", "dir:/path"},
		{"exec", "exec:program arguments"},
		{"http", "http://host/path"},
		{"https", "https://host/path"},
		{"v4l2", "v4l2:/dev/video0"},
		{"rpicam", "rpicam:"},
		{"ffmpeg", "ffmpeg:rtsp://host/path"},
		{"push", "push"},
	}
}

// SourceForms is how the sources that there are can be written.
func SourceForms() (forms []string) {
	for _, s := range schemes() {
		forms = append(forms, s.form)
	}
	return forms
}

// source looks at the scheme only; the rest is the camera's. Its errors repeat
// nothing else, because the rest may hold a password.
func source(s string) (any, error) {
	if _, err := text(s); err != nil {
		return nil, err
	}
	forms := SourceForms()
	want := "want " + strings.Join(forms[:len(forms)-1], ", ") + " or " + forms[len(forms)-1]
	if s == "" {
		return nil, errors.New("is empty: " + want)
	}
	name, rest, ok := strings.Cut(s, ":")
	bare := !ok && alone(s) // "source: test:" is no YAML without quotes
	if !ok && !bare || name == "" || strings.ContainsFunc(name, notInScheme) {
		return nil, errors.New("has no scheme: " + want)
	}
	for _, known := range schemes() {
		if !strings.EqualFold(known.name, name) {
			continue
		}
		switch {
		case !alone(known.name) && strings.Trim(rest, "/ ") == "":
			return nil, fmt.Errorf("nothing follows %s: want such as %s", known.name, known.form)
		}
		return s, nil
	}
	return nil, fmt.Errorf("unknown scheme %.20q: %s", name, want)
}

// alone says whether nothing need follow a scheme: there is one test card, and
// mostly one camera.
func alone(scheme string) bool {
	return slices.Contains([]string{"test", "v4l2", "rpicam", "push"}, strings.ToLower(scheme))
}

func notInScheme(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("+-_", r))
}
