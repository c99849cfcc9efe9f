package wire

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// TimeFormat is how times are written: RFC 3339 in UTC with milliseconds.
const TimeFormat = "2006-01-02T15:04:05.000Z"

// Time is a moment as topics.md writes it: RFC 3339 UTC with milliseconds. The
// zero Time is left out of JSON by omitzero.
type Time struct{ time.Time }

// At returns t as a [Time].
func At(t time.Time) Time { return Time{t} }

// MarshalJSON writes the time in [TimeFormat].
func (t Time) MarshalJSON() ([]byte, error) {
	return []byte(`"` + t.UTC().Format(TimeFormat) + `"`), nil
}

// UnmarshalJSON reads any RFC 3339 time.
func (t *Time) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("time %.40q: want RFC 3339 text such as 2026-01-31T12:00:00.000Z", b)
	}
	v, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return fmt.Errorf("time %.40q: want RFC 3339 such as 2026-01-31T12:00:00.000Z", s)
	}
	t.Time = v
	return nil
}

// IsZero reports whether the time is unset.
func (t Time) IsZero() bool { return t.Time.IsZero() }

// Size is the width and height of a picture in pixels; the zero Size is "not
// said".
type Size struct{ Width, Height int }

// MaxSide is the largest width or height a size may ask for, in pixels.
const MaxSide = 16384

// ParseSize reads "640x480".
func ParseSize(s string) (Size, error) {
	w, h, ok := strings.Cut(strings.ToLower(s), "x")
	width, err1 := parseInt(w)
	height, err2 := parseInt(h)
	if !ok || err1 != nil || err2 != nil || width < 1 || height < 1 || width > MaxSide || height > MaxSide {
		return Size{}, fmt.Errorf("size %.40q: want WIDTHxHEIGHT such as 640x480, each 1 to %d", s, MaxSide)
	}
	return Size{width, height}, nil
}

// String writes the size as "640x480", the zero size as "".
func (s Size) String() string {
	if s == (Size{}) {
		return ""
	}
	return strconv.Itoa(s.Width) + "x" + strconv.Itoa(s.Height)
}

// MarshalText writes the size as String does.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Pixels returns the area in pixels.
func (s Size) Pixels() int { return s.Width * s.Height }

// ParseDuration reads "2s", "500ms" or "1m30s"; a bare number is seconds. It
// refuses what is negative or longer than a day.
func ParseDuration(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil {
		secs, numErr := strconv.ParseFloat(s, 64)
		if numErr != nil || !(secs >= 0 && secs <= 86400) {
			return 0, fmt.Errorf("duration %.40q: want such as 500ms, 2s or 1m30s, at most 24h", s)
		}
		return time.Duration(secs * float64(time.Second)), nil
	}
	if d < 0 || d > 24*time.Hour {
		return 0, fmt.Errorf("duration %.40q: want 0s to 24h", s)
	}
	return d, nil
}

// MaxFPS is the highest rate a command or setting may ask for, in pictures per
// second.
const MaxFPS = 120

// ParseFPS reads a rate in pictures per second, more than 0 and at most
// [MaxFPS]; fractions such as 0.2 are one picture in five seconds.
func ParseFPS(s string) (float64, error) {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || !(f >= 0.001 && f <= MaxFPS) {
		return 0, fmt.Errorf("fps %.40q: want a number from 0.001 to %d", s, MaxFPS)
	}
	return f, nil
}

// parseInt reads a whole number, which may be written as a fraction: templates and some
// libraries have no other numbers, and send 80.0.
func parseInt(s string) (int, error) {
	s = strings.TrimSpace(s)
	if whole, zeros, ok := strings.Cut(s, "."); ok && whole != "" && strings.Trim(zeros, "0") == "" {
		s = whole
	}
	return strconv.Atoi(s)
}

// ParseQuality reads a JPEG quality from 1 (least) to 100 (best).
func ParseQuality(s string) (int, error) {
	q, err := parseInt(s)
	if err != nil || q < 1 || q > 100 {
		return 0, fmt.Errorf("quality %.40q: want a whole number from 1 to 100", s)
	}
	return q, nil
}

// ParseFlash reads the brightness of a lamp in percent, 0 to 100. A light switch
// sends on, which is 100, and off.
func ParseFlash(s string) (int, error) {
	switch strings.ToLower(s) {
	case "on":
		return 100, nil
	case "off":
		return 0, nil
	}
	p, err := parseInt(s)
	if err != nil || p < 0 || p > 100 {
		return 0, fmt.Errorf("flash %.40q: want 0 (off) to 100 percent, on or off", s)
	}
	return p, nil
}

// ParseBool reads true/false, on/off, yes/no and 1/0 in any case, which is
// what people and Home Assistant switches send.
func ParseBool(s string) (bool, error) {
	switch strings.ToLower(s) {
	case "true", "on", "yes", "1":
		return true, nil
	case "false", "off", "no", "0":
		return false, nil
	}
	return false, fmt.Errorf("value %.40q: want on or off", s)
}
