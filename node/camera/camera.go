// Package camera turns sources of pictures into one shape: a stream of whole
// JPEGs, each with the time before which it was not taken. It owns what a source
// opens while it streams: connections, child processes, descriptors, goroutines.
// It never restarts a source, never passes on a picture that is not whole, never
// queues one and never decodes one; the caller supervises.
package camera

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"camqtt/internal/jpeg"
)

// Mode is what a source is asked for. Zero fields mean the source's own default.
type Mode struct {
	// Width and Height are in pixels; both or neither.
	Width, Height int
	// FPS is in pictures per second, up to 240.
	FPS float64
	// Quality is that of the JPEG: 1 (small) to 100 (good).
	Quality int
	// Prompt asks a source whose Profile is Prompted for one picture each time
	// something comes, exposed after that. Other sources ignore it; nil is none.
	Prompt <-chan struct{}
	// Flash is the brightness of the camera's lamp in percent, 1 to 100; FlashOff
	// is dark.
	Flash int
	// Still: there is no live viewer, single pictures are waited for. Then a source
	// that lists CapStill need not open its stream.
	Still bool

	// again asks a source that takes pictures one by one for another at once: the
	// last was not passed on, because it was not whole. Nil is none.
	Retake <-chan struct{}
}

// FlashOff is the Mode.Flash of a lamp that is not to be lit.
const FlashOff = -1

// Frame is one whole picture. Whoever holds a Frame owns its bytes; the source
// never touches them again.
type Frame struct {
	// JPEG is exactly one picture: jpeg.Scan finds no fault and nothing follows.
	JPEG []byte
	// Buffer is the memory that JPEG lies in, where it can be used again; see Release.
	Buffer *jpeg.Buffer
	// At is a time before which the picture was not exposed, as well as the
	// source can know: for a webcam when the exposure began by its driver's word,
	// for a drawn picture when it was drawn, for a stream when its first byte
	// arrived, for a snapshot URL when the request was sent that made the camera
	// take it, for a board whose pictures carry the time by its own clock that
	// time, for a file when it was read.
	At time.Time
	// Info is what jpeg.Scan says of the picture; what Open returns fills it in.
	Info jpeg.Info
	// Taken, unless nil, is told once what became of the picture: nil when it is kept
	// or on its way to the broker, else why it never gets there.
	Taken func(error)

	// bad says what is wrong with a picture that was no whole JPEG, and then it
	// is all there is. Sources emit it in place of the picture so that it is
	// counted; callers of what Open returns never see it.
	Damage error
	// settled is set by a source that has seen to it that exposure has settled.
	Settled bool
}

// Release ends the use of JPEG: a later picture may take its memory. It may be left out.
func (f Frame) Release() { f.Buffer.Release() }

// Report tells the sender of a picture what became of it; see Frame.Taken.
func (f Frame) Report(err error) {
	if f.Taken != nil {
		f.Taken(err)
	}
}

// Profile is what is known of a source before it is opened.
type Profile struct {
	// Kind is the sort of source: "test", "dir", "exec", "ffmpeg", "http",
	// "push", "rpicam" or "v4l2".
	Kind string
	// Make and Model name the device, where that is known.
	Make, Model string
	// Serial is the device's serial number, where it tells.
	Serial string
	// Sizes are offered, smallest first; empty: not known, or only one.
	Sizes []Size
	// MaxFPS is in pictures per second; 0: not known.
	MaxFPS float64
	// Caps says which fields of Mode the source obeys: CapSize, CapFPS,
	// CapQuality, CapFlash, CapStill; and CapRotate when it turns the picture by
	// itself.
	Caps []string
	// Prompted means that the source, once open, takes a picture when Mode.Prompt
	// asks, and otherwise only if Mode.FPS is above 0.
	Prompted bool
	// Poll, unless 0, is how often to look for a device that is not there, because
	// looking costs next to nothing and it may be plugged in at any time.
	Poll time.Duration
	// Warning says what the device does not do although it was asked, or does
	// otherwise than usual, for people; "" when there is nothing to say.
	Warning string
	// Instant means that opening costs nothing: it need not be kept warm.
	Instant bool
	// FirstFrame is how long the first picture may take; 0 is 15 s.
	FirstFrame time.Duration
	// Unasked means that the camera sends when it likes and cannot be asked: its
	// Stream runs all the time, and silence is no fault.
	Unasked bool
	// Every is the time expected between the pictures of an unasked camera; 0: not
	// known.
	Every time.Duration
	// Deliberate means that each picture of an unasked camera is a snapshot, whether
	// or not a picture was asked for, and that the camera sleeps in between.
	Deliberate bool
}

// What may be in Profile.Caps.
const (
	CapSize    = "size"    // obeys Mode.Width and Mode.Height
	CapFPS     = "fps"     // obeys Mode.FPS
	CapQuality = "quality" // obeys Mode.Quality
	CapFlash   = "flash"   // obeys Mode.Flash
	CapStill   = "still"   // obeys Mode.Still
	CapRotate  = "rotate"  // obeys Options.Rotate: the caller must not turn the picture again
)

// Source is a camera, or something that behaves like one. Its methods may be
// called from several goroutines, but one Stream runs at a time.
type Source interface {
	// Profile says what is known of the source so far. It may know more after a
	// Stream than before.
	Profile() Profile
	// Stream runs the camera until ctx is done (it returns nil) or the camera
	// fails (it returns an *Error). It calls emit for each picture, from one
	// goroutine at a time, never after it has returned; emit never blocks. When
	// Stream returns, every goroutine, child process and descriptor it opened is
	// gone.
	Stream(ctx context.Context, m Mode, emit func(Frame)) error
}

// Size is that of a picture, in pixels.
type Size struct{ Width, Height int }

// String is the size as "640x480".
func (s Size) String() string { return strconv.Itoa(s.Width) + "x" + strconv.Itoa(s.Height) }

// MaxSide is the most a picture may have on one side, in pixels (ITU-T T.81: the
// frame header's fields are 16 bits wide).
const MaxSide = 65535

// ParseSize reads "640x480"; each side is 1 to MaxSide pixels.
func ParseSize(s string) (Size, error) {
	w, h, ok := strings.Cut(s, "x")
	if ok {
		width, okW := parseSide(w)
		height, okH := parseSide(h)
		if okW && okH {
			return Size{width, height}, nil
		}
	}
	return Size{}, fmt.Errorf("size %q: want width x height in pixels, like 640x480", s)
}

func parseSide(s string) (int, bool) {
	if s == "" || s[0] < '0' || s[0] > '9' {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	return n, err == nil && n >= 1 && n <= MaxSide
}

// Check says what is wrong with a mode that no source can obey.
func (m Mode) Check() error {
	switch {
	case (m.Width == 0) != (m.Height == 0):
		return ConfigError("size %dx%d: want both width and height, or neither", m.Width, m.Height)
	case m.Width < 0 || m.Height < 0 || m.Width > MaxSide || m.Height > MaxSide:
		return ConfigError("size %dx%d: want 1 to %d pixels a side", m.Width, m.Height, MaxSide)
	case math.IsNaN(m.FPS) || m.FPS < 0 || m.FPS > MaxFPS:
		return ConfigError("fps %v: want above 0 and up to %d", m.FPS, MaxFPS)
	case m.Quality < 0 || m.Quality > 100:
		return ConfigError("quality %d: want 1 to 100", m.Quality)
	case m.Flash < FlashOff || m.Flash > 100:
		return ConfigError("flash %d: want 1 to 100, or %d for off", m.Flash, FlashOff)
	}
	return nil
}

const MaxFPS = 240
