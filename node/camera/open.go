package camera

import (
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"camqtt/internal/redact"
)

// Options is what sources have in common. The zero value is good.
type Options struct {
	// Rotate is how the picture is to be turned: "", "0", "90", "180", "270"
	// (degrees clockwise), "hflip" or "vflip". A source that does it lists
	// CapRotate; with others it is the caller's.
	Rotate string
	// Log takes what a source can live with but somebody should know; nil
	// discards it.
	Log *slog.Logger
	// HTTPClient is used for http and https; its Transport only, the rest is
	// the source's. nil is one that connects directly within 5 s, waits 20 s for
	// an answer and checks certificates, by the options pin= and ca= of the URL
	// where these are given.
	HTTPClient *http.Client
	// MaxPicture is the largest picture passed on, in bytes; 0 is 8 MiB.
	MaxPicture int
	// Check is how closely pictures are looked at before they are passed on:
	// CheckAuto, CheckFull or CheckMarkers; "" is CheckAuto.
	Check string
	// Settle is for how long after the first of a Stream pictures may be left
	// out until their brightness is steady, up to 10 s; 0 is 1.5 s for a camera
	// of this machine (v4l2, rpicam) and none for other sources; negative is
	// none. A source whose own text has settle= goes by that.
	Settle time.Duration
	// Inbox is where the pictures of a push source come in; nil is nowhere.
	Inbox *Inbox

	// grace stands in for stopGrace unless it is 0, for tests of programs that end
	// when they are asked to, however long a machine needs for that.
	grace time.Duration
}

const maxPicture = 8 << 20

// scheme is one kind of source.
type scheme struct {
	name string
	form string // how it is written, for people
	open func(rest string, o Options) (Source, error)
}

// schemes are all there are, in the order in which they are told to people.
func schemes() []scheme {
	return []scheme{
		{"test", "test:640x480", openTestCard},
		{"v4l2", "v4l2:/dev/video0", openWebcam},
		{"rpicam", "rpicam:", openRpicam},
		{"ffmpeg", "ffmpeg:rtsp://host/path", openFFmpeg},
		{"dir", "dir:/path", openDir},
		{"exec", "exec:program arguments", openExec},
		{"http", "http://host/path", openHTTP},
		{"https", "https://host/path", openHTTPS},
		{"push", "push", openPush},
	}
}

// source makes a source of this kind with what is usual for it.
func (s scheme) source(rest string, o Options) (Source, error) {
	if o.Settle == 0 {
		o.Settle = usualSettle(s.name)
	}
	if o.Check == "" || o.Check == CheckAuto {
		o.Check = usualCheck(s.name)
	}
	source, err := s.open(rest, o)
	if err != nil {
		return nil, err
	}
	return newSieve(source, o), nil
}

// Open makes the source that is written "scheme:rest". It checks what is written
// and opens nothing. Errors are *Error with code Config and hold no password.
//
// What it returns passes on whole pictures only, and has another method,
// Broken() (n uint64, why string): how many were dropped so far because they
// were not whole, and what was wrong with the last of them. A Stream with nothing
// else for 5 s ends with Stalled.
func Open(source string, o Options) (Source, error) {
	if !slices.Contains([]string{"", "0", "90", "180", "270", "hflip", "vflip"}, o.Rotate) {
		return nil, configError("rotate %q: want 0, 90, 180, 270, hflip or vflip", o.Rotate)
	}
	switch {
	case !slices.Contains([]string{"", CheckAuto, CheckFull, CheckMarkers}, o.Check):
		return nil, configError("check %q: want auto, full or markers", o.Check)
	case o.Settle > settleMax:
		return nil, configError("settle %s: want up to %s", o.Settle, settleMax)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.MaxPicture <= 0 {
		o.MaxPicture = maxPicture
	}
	name, rest, found := strings.Cut(source, ":")
	var forms []string
	for _, s := range schemes() {
		// A bare name will do: "source: test:" is no YAML without quotes.
		if strings.EqualFold(s.name, name) {
			return s.source(rest, o)
		}
		forms = append(forms, s.form)
	}
	want := strings.Join(forms[:len(forms)-1], ", ") + " or " + forms[len(forms)-1]
	if found {
		return nil, configError("source %q: unknown scheme %q: want %s", clean(redact.Source(source)), clean(name), want)
	}
	return nil, configError("source %q: no scheme: want %s", clean(redact.Source(source)), want)
}

// byteCount is a number of bytes for people.
func byteCount(n int) string {
	if n >= 1<<20 && n%(1<<20) == 0 {
		return strconv.Itoa(n>>20) + " MiB"
	}
	return strconv.Itoa(n) + " bytes"
}
