package camera

import (
	"cmp"
	"log/slog"
	"slices"
	"strings"
	"time"

	"camqtt/internal/redact"
	"camqtt/node/camera/sourceurl"
)

// Kind is one kind of camera: what the table of kinds says of it.
type Kind struct {
	// Scheme is what stands before the colon of a source.
	Scheme string
	// Form is an example of a source, and Summary what such a camera is, for people.
	Form, Summary string
	// Bare means that the scheme alone is a source: there is mostly one such camera.
	Bare bool
	// Options are the names of the options that a source takes besides timeout=, and
	// Separator is what stands before them. A source with other names, such as the controls
	// of a webcam, says so in its documentation.
	Options   []string
	Separator string
	// Timeout is how long the first picture may take, unless timeout= says otherwise. It
	// is for people; the source's Profile has the same as FirstFrame.
	Timeout time.Duration
	// Login means that User and Password of Options are for such a camera.
	Login bool
	// Check is what CheckAuto stands for. Boards with a radio send well-framed
	// pictures in whose middle data is missing; a cable to this machine loses no data,
	// and programs make whole pictures.
	Check string
	// Settle is how long the first pictures may be left out until exposure has settled,
	// where Options say nothing. It is for sensors that this machine switches on.
	Settle time.Duration
	// Open makes the source that is written "scheme:rest". It checks what is written and
	// opens nothing. Its errors are *Error with code Config and hold no password.
	Open func(rest string, o Options) (Source, error)
}

// Source is Open with the defaults of the kind and a [FrameValidator] around it.
func (k Kind) Source(rest string, o Options) (Source, error) {
	if !slices.Contains([]string{"", "0", "90", "180", "270", "hflip", "vflip"}, o.Rotate) {
		return nil, ConfigError("rotate %q: want 0, 90, 180, 270, hflip or vflip", o.Rotate)
	}
	switch {
	case !slices.Contains([]string{"", CheckAuto, CheckFull, CheckMarkers}, o.Check):
		return nil, ConfigError("check %q: want auto, full or markers", o.Check)
	case o.Settle > SettleMax:
		return nil, ConfigError("settle %s: want up to %s", o.Settle, SettleMax)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.MaxPicture <= 0 {
		o.MaxPicture = DefaultMaxPicture
	}
	if o.Settle == 0 {
		o.Settle = k.Settle
	}
	if o.Check == "" || o.Check == CheckAuto {
		o.Check = k.Check
	}
	if o.User != "" && !k.Login {
		return nil, ConfigError("source %s: user and password_file are not for this kind of source", k.Scheme)
	}
	rest, timeout, err := sourceurl.CutTimeout(rest, k.Separator)
	if err != nil {
		return nil, ConfigError("source %s: %v", k.Scheme, err)
	}
	o.Timeout = cmp.Or(timeout, o.Timeout)
	source, err := k.Open(rest, o)
	if err != nil {
		return nil, err
	}
	return NewFrameValidator(source, o), nil
}

// Open makes the source that is written "scheme:rest", of one of the kinds. It checks
// what is written and opens nothing. Errors are *Error with code Config and hold no
// password.
func Open(source string, o Options, kinds ...Kind) (Source, error) {
	scheme, rest, found := strings.Cut(source, ":")
	// A bare name will do: "source: test:" is no YAML without quotes.
	i := slices.IndexFunc(kinds, func(k Kind) bool { return strings.EqualFold(k.Scheme, scheme) })
	switch {
	case i >= 0:
		return kinds[i].Source(rest, o)
	case found:
		return nil, ConfigError("source %q: unknown scheme %q: %s", redact.Line(redact.Source(source)), redact.Line(scheme), Want(kinds))
	}
	return nil, ConfigError("source %q: no scheme: %s", redact.Line(redact.Source(source)), Want(kinds))
}

// Want says how sources of these kinds are written.
func Want(kinds []Kind) string {
	var forms []string
	for _, k := range kinds {
		forms = append(forms, k.Form)
	}
	return "want " + strings.Join(forms[:len(forms)-1], ", ") + " or " + forms[len(forms)-1]
}
