package wire

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Setting names something of a camera that can be changed while it runs.
type Setting string

// The settings of cam/<id>/set/<key>.
const (
	SetReset          Setting = "reset"
	SetFPS            Setting = "fps"
	SetSize           Setting = "size"
	SetQuality        Setting = "quality"
	SetFlash          Setting = "flash"
	SetPrivacy        Setting = "privacy"
	SetName           Setting = "name"
	SetPreviewEvery   Setting = "preview_every"
	SetKeepWarm       Setting = "keep_warm"
	SetMaxStream      Setting = "max_stream"
	SetSnapEvery      Setting = "snap_every"
	SetRetainPictures Setting = "retain_pictures"
	SetMotion         Setting = "motion"
)

// SettingType is what the value of a setting is.
type SettingType int

// The types of settings, with the field of [Change] that holds the value.
const (
	Word     SettingType = iota // Text: one certain word
	Rate                        // Number, pictures per second
	Percent                     // Number, a whole one up to 100; of a lamp also on and off
	Area                        // Size
	Switch                      // On
	Text                        // Text
	Duration                    // Duration
)

// SettingRow is all that is fixed of one setting. Adding a setting is a row here, what a node
// does with the value, a row in topics.md and, if it can be configured, in configs/full.yaml.
type SettingRow struct {
	Setting Setting
	Type    SettingType
	Least   time.Duration // of a Duration; 0: it may be none
	Never   bool          // a Duration may also be 0, which is never
	// Default is what the key of a camera's configuration is without being given. Passed
	// means that the configuration hands its value over without knowing more of it.
	Default string
	Passed  bool
	Kept    bool   // a node keeps it with the others; privacy is kept by itself
	Needs   string // what the camera must be able to; see [Info].Caps
	Lacking string // what a camera says that is not able to
	Meaning string // in topics.md
}

// SettingRows returns every setting in the order of topics.md.
func SettingRows() []SettingRow {
	return []SettingRow{
		{Setting: SetReset, Meaning: "`all`: every setting but `privacy` returns to the configuration"},
		{Setting: SetFPS, Type: Rate, Default: "10", Kept: true, Meaning: "most pictures per second"},
		{
			Setting: SetSize, Type: Area, Default: `""`, Kept: true, Needs: "size",
			Lacking: "the size of this camera cannot be changed", Meaning: "largest size, `1280x720`",
		},
		{
			Setting: SetQuality, Type: Percent, Default: "0", Kept: true, Needs: "quality",
			Lacking: "the quality of this camera cannot be changed", Meaning: "1 to 100",
		},
		{
			Setting: SetFlash, Type: Percent, Kept: true, Needs: "flash",
			Lacking: "this camera has no lamp that can be set, or none is known before its first picture",
			Meaning: "brightness of the camera's lamp in percent, `0` (off) to `100`, or `on`, `off`; `unsupported` without a lamp",
		},
		{
			Setting: SetPrivacy, Type: Switch,
			Meaning: "`on`: the camera is closed, waiting pictures are dropped, and every `snap`, `still` and `start` gets `privacy`. " +
				"The result comes when the camera is closed and the node has stored it; no picture follows. Or `off`",
		},
		{Setting: SetName, Type: Text, Default: `""`, Kept: true, Meaning: "the displayed name, 1 to 64 characters"},
		{
			Setting: SetPreviewEvery, Type: Duration, Least: time.Second, Default: "1s", Passed: true, Kept: true,
			Meaning: "duration, at least `1s`",
		},
		{Setting: SetKeepWarm, Type: Duration, Default: "10s", Passed: true, Kept: true, Meaning: "duration"},
		{
			Setting: SetMaxStream, Type: Duration, Never: true, Default: "10m", Passed: true, Kept: true,
			Meaning: "duration; `0s` is no limit",
		},
		{
			Setting: SetSnapEvery, Type: Duration, Least: time.Second, Never: true, Default: "0", Passed: true, Kept: true,
			Meaning: "duration between scheduled snapshots, at least `1s`; `0s` is never",
		},
		{Setting: SetRetainPictures, Type: Switch, Default: "true", Passed: true, Kept: true, Meaning: "`on` or `off`"},
		{
			Setting: SetMotion, Type: Switch, Needs: "motion", Lacking: "this camera has no motion detection",
			Meaning: "`on` or `off`, if the camera has motion detection; else `unsupported`",
		},
	}
}

// Settings returns the name of every setting in the order of topics.md.
func Settings() []Setting {
	var all []Setting
	for _, row := range SettingRows() {
		all = append(all, row.Setting)
	}
	return all
}

// RowOf returns the row of a setting; ok is false where there is no such setting.
func RowOf(s Setting) (row SettingRow, ok bool) {
	rows := SettingRows()
	i := slices.IndexFunc(rows, func(row SettingRow) bool { return row.Setting == s })
	if i < 0 {
		return row, false
	}
	return rows[i], true
}

// MaxNameLength is the greatest length of a camera's name in characters.
const MaxNameLength = 64

// Change is one setting with its new value; which field holds the value
// follows from the setting's type.
type Change struct {
	Setting  Setting
	Number   float64
	Size     Size
	On       bool
	Text     string
	Duration time.Duration
}

// Value is the value as it is sent, in the form that [ParseChange] reads.
func (c Change) Value() string {
	row, _ := RowOf(c.Setting)
	switch row.Type {
	case Rate, Percent:
		return strconv.FormatFloat(c.Number, 'g', -1, 64)
	case Area:
		return c.Size.String()
	case Switch:
		return strconv.FormatBool(c.On)
	case Duration:
		return c.Duration.String()
	case Word, Text:
	}
	return c.Text
}

// ParseChange reads the plain value of one setting. Its errors are texts for
// the asker: what was got, what would be right.
func ParseChange(key, value string) (c Change, err error) {
	row, ok := RowOf(Setting(key))
	if !ok {
		names := strings.Trim(fmt.Sprint(Settings()), "[]")
		return c, fmt.Errorf("%q is not a setting: want one of %s", echo(key), names)
	}
	c.Setting = row.Setting
	value = strings.TrimSpace(value)
	switch row.Type {
	case Word:
		if c.Text = value; value != "all" {
			err = fmt.Errorf("%s %q: want all", key, echo(value))
		}
	case Rate:
		c.Number, err = ParseFPS(value)
	case Percent:
		parse := ParseQuality
		if row.Setting == SetFlash {
			parse = ParseFlash
		}
		var n int
		n, err = parse(value)
		c.Number = float64(n)
	case Area:
		c.Size, err = ParseSize(value)
	case Switch:
		c.On, err = ParseBool(value)
	case Text:
		c.Text, err = ParseName(value)
	case Duration:
		c.Duration, err = row.duration(value)
	}
	return c, err
}

func (row SettingRow) duration(value string) (time.Duration, error) {
	d, err := ParseDuration(value)
	switch {
	case err != nil:
		return 0, fmt.Errorf("%s: %w", row.Setting, err)
	case row.Never && d == 0 || d >= row.Least:
		return d, nil
	case row.Never:
		return 0, fmt.Errorf("%s %q: want 0s (never) or %s to 24h", row.Setting, echo(value), row.Least)
	}
	return 0, fmt.Errorf("%s %q: want at least %s", row.Setting, echo(value), row.Least)
}

// ParseName reads what people call a camera: 1 to 64 printable characters.
func ParseName(s string) (string, error) {
	if s == "" || !utf8.ValidString(s) || utf8.RuneCountInString(s) > MaxNameLength ||
		strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsGraphic(r) }) {
		return "", fmt.Errorf("name %q: want 1 to %d printable characters", echo(s), MaxNameLength)
	}
	return s, nil
}
