package wire

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Setting names something of a camera that can be changed while it runs.
type Setting string

// The settings of cam/<id>/set/<key>. They survive a restart of the node, unless its
// configuration has changed.
const (
	SetReset          Setting = "reset"           // all: every setting but privacy returns to the configuration
	SetFPS            Setting = "fps"             // most pictures per second
	SetSize           Setting = "size"            // greatest size, WIDTHxHEIGHT
	SetQuality        Setting = "quality"         // 1 to 100
	SetFlash          Setting = "flash"           // brightness of the lamp in percent, 0 to 100, or on or off
	SetPrivacy        Setting = "privacy"         // on: camera closed, everything refused
	SetName           Setting = "name"            // what people read, 1 to 64 characters
	SetPreviewEvery   Setting = "preview_every"   // duration, 1s to 24h
	SetKeepWarm       Setting = "keep_warm"       // duration, 0s to 24h
	SetMaxStream      Setting = "max_stream"      // duration, 0s (never ends) to 24h
	SetSnapEvery      Setting = "snap_every"      // duration, 0s (never) or 1s to 24h
	SetRetainPictures Setting = "retain_pictures" // on or off
	SetMotion         Setting = "motion"          // on or off, where the camera has motion detection
)

// Settings returns every setting in the order of topics.md.
func Settings() []Setting {
	return []Setting{
		SetReset, SetFPS, SetSize, SetQuality, SetFlash, SetPrivacy, SetName, SetPreviewEvery,
		SetKeepWarm, SetMaxStream, SetSnapEvery, SetRetainPictures, SetMotion,
	}
}

// MaxNameLength is the greatest length of a camera's name in characters.
const MaxNameLength = 64

// Change is one setting with its new value; which field holds the value
// follows from the setting.
type Change struct {
	Setting  Setting
	FPS      float64
	Size     Size
	Quality  int
	Flash    int // percent, 0 is off
	On       bool
	Name     string
	Duration time.Duration
}

// ParseChange reads the plain value of one setting. Its errors are texts for
// the asker: what was got, what would be right.
func ParseChange(key, value string) (c Change, err error) {
	c.Setting = Setting(key)
	value = strings.TrimSpace(value)
	switch c.Setting {
	case SetReset:
		if value != "all" {
			err = fmt.Errorf("%s %q: want all", key, echo(value))
		}
	case SetFPS:
		c.FPS, err = ParseFPS(value)
	case SetSize:
		c.Size, err = ParseSize(value)
	case SetQuality:
		c.Quality, err = ParseQuality(value)
	case SetFlash:
		c.Flash, err = ParseFlash(value)
	case SetPrivacy, SetRetainPictures, SetMotion:
		c.On, err = ParseBool(value)
	case SetName:
		c.Name, err = ParseName(value)
	case SetPreviewEvery:
		c.Duration, err = durationOf(key, value, time.Second)
	case SetKeepWarm, SetMaxStream:
		c.Duration, err = durationOf(key, value, 0)
	case SetSnapEvery:
		if c.Duration, err = durationOf(key, value, 0); err == nil && c.Duration > 0 && c.Duration < time.Second {
			err = fmt.Errorf("%s %q: want 0s (never) or 1s to 24h", key, echo(value))
		}
	default:
		names := make([]string, 0, len(Settings()))
		for _, s := range Settings() {
			names = append(names, string(s))
		}
		return c, fmt.Errorf("%q is not a setting: want one of %s", echo(key), strings.Join(names, " "))
	}
	return c, err
}

func durationOf(key, value string, least time.Duration) (time.Duration, error) {
	d, err := ParseDuration(value)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", key, err)
	}
	if d < least {
		return 0, fmt.Errorf("%s %q: want at least %s", key, echo(value), least)
	}
	return d, nil
}

// ParseName reads what people call a camera: 1 to 64 printable characters.
func ParseName(s string) (string, error) {
	if s == "" || !utf8.ValidString(s) || utf8.RuneCountInString(s) > MaxNameLength ||
		strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsGraphic(r) }) {
		return "", fmt.Errorf("name %q: want 1 to %d printable characters", echo(s), MaxNameLength)
	}
	return s, nil
}

// ParseSetKey reads a message on cam/<id>/set/<key>. The error is a [*Refusal].
func ParseSetKey(key string, payload []byte) (Change, error) {
	if len(payload) > MaxCommandBytes {
		return Change{}, &Refusal{Cmd: "set", Code: BadArgument, Text: fmt.Sprintf("the value has %d bytes: want at most %d", len(payload), MaxCommandBytes)}
	}
	c, err := ParseChange(key, string(plainText(payload)))
	if err != nil {
		return c, &Refusal{Cmd: "set", Code: BadArgument, Text: err.Error()}
	}
	return c, nil
}

// ParseSet reads a message on cam/<id>/set: a JSON object of settings, and
// optionally an id that comes back in the result. All are checked before any
// is returned. The error is a [*Refusal].
func ParseSet(payload []byte) (changes []Change, id string, err error) {
	refuse := func(text string) ([]Change, string, error) {
		return nil, id, &Refusal{Cmd: "set", ID: id, Code: BadArgument, Text: text}
	}
	if len(payload) > MaxCommandBytes {
		return refuse(fmt.Sprintf("the settings have %d bytes: want at most %d", len(payload), MaxCommandBytes))
	}
	fields, ok := jsonObject(plainText(payload))
	if !ok || fields == nil {
		return refuse(`the settings are not a JSON object: want such as {"fps":5,"quality":70}`)
	}
	if v, ok := scalar(fields["id"]); ok && validToken(v) {
		id = v
	}
	delete(fields, "id")
	if len(fields) == 0 {
		return refuse(`no setting was given: want such as {"fps":5,"quality":70}`)
	}
	for _, s := range Settings() { // in a fixed order, so that results can be repeated
		raw, given := fields[string(s)]
		if !given {
			continue
		}
		delete(fields, string(s))
		v, ok := scalar(raw)
		if !ok {
			return refuse(string(s) + ": want text, a number, true or false")
		}
		c, err := ParseChange(string(s), v)
		if err != nil {
			return refuse(err.Error())
		}
		changes = append(changes, c)
	}
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		_, err := ParseChange(key, "")
		return refuse(err.Error())
	}
	return changes, id, nil
}
