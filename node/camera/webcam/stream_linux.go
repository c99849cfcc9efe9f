package webcam

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"camqtt/internal/jpeg"
	"camqtt/internal/redact"
	"camqtt/node/camera"
	"camqtt/node/camera/webcam/v4l2"
)

const (
	// buffers is how many pictures the driver can hold: one being filled, one to
	// follow, and two for when we are late.
	buffers = 4
	// webcamFirst is how long the first picture of a stream may take, webcamStall
	// how long any other, unless eight of the camera's intervals are longer.
	webcamFirst = 10 * time.Second
	webcamStall = 5 * time.Second
)

// webcamStream is one Stream of a webcam, set up.
type webcamStream struct {
	*webcam
	device   *v4l2.Device
	emit     func(camera.Frame)
	format   v4l2.Format
	rate     float64 // pictures per second, as the driver has set it; 0: not known
	every    time.Duration
	raw      *developer              // nil for a camera that gives JPEGs
	next     time.Time               // when the next raw picture is worth encoding
	settling *camera.ExposureSettler // of raw pictures: whether they are worth encoding
	broken   int                     // pictures that were no JPEG
	flagged  int64                   // pictures that the driver has called damaged, as far as told
}

// setUp sets format, controls and rate, in this order, because a new format
// may reset the others. All of it happens before the stream starts.
func (w *webcam) setUp(d *v4l2.Device, t webcamTake) (*webcamStream, error) {
	s := &webcamStream{webcam: w, device: d, emit: t.emit}
	want := t.camera.formats[0]
	if w.format != 0 {
		if want = w.format; !slices.Contains(t.camera.formats, want) {
			return nil, camera.ConfigError("source v4l2:%s: format %s: the camera has %s", w.where, want, names(t.camera.formats))
		}
	}
	var err error
	if s.format, err = d.SetFormat(want, usualSize(t.mode, isJPEG(want))); err != nil {
		return nil, err
	}
	if got := s.format.FourCC; !slices.Contains(pixelFormats(), got) {
		return nil, fmt.Errorf("set the pixel format to %s: got %s", want, got)
	}
	if err := w.control(d, t.mode.Quality); err != nil {
		return nil, err
	}
	if s.rate, err = d.SetRate(t.mode.FPS); err != nil {
		return nil, err
	}
	if !isJPEG(s.format.FourCC) {
		quality := t.mode.Quality
		if quality == 0 {
			quality = rawQuality
		}
		s.raw = newDeveloper(s.format, quality)
		if t.mode.FPS > 0 {
			s.every = camera.Interval(t.mode.FPS)
		}
	}
	return s, nil
}

// usualSize is the size without a request: not the largest, because a
// webcam's largest is seldom wanted, and a small one when we have to encode.
func usualSize(m camera.Mode, jpeg bool) v4l2.Size {
	switch {
	case m.Width > 0:
		return v4l2.Size{Width: m.Width, Height: m.Height}
	case jpeg:
		return v4l2.Size{Width: 1280, Height: 720}
	}
	return v4l2.Size{Width: 640, Height: 480}
}

func names(all []v4l2.FourCC) string {
	var b []string
	for _, f := range all {
		b = append(b, f.String())
	}
	return strings.Join(b, ", ")
}

// control sets the controls that the configuration names, and the quality.
func (w *webcam) control(d *v4l2.Device, quality int) error {
	if q, ok := d.Find(v4l2.QualityID); ok && quality > 0 && !q.ReadOnly {
		if _, err := d.SetValue(q, min(max(int32(quality), q.Min), q.Max)); err != nil {
			return err
		}
	}
	if len(w.set) == 0 {
		return nil
	}
	all := d.Controls()
	for _, want := range w.set {
		i := slices.IndexFunc(all, func(c v4l2.Control) bool { return c.Name == want.name })
		if i < 0 {
			return camera.ConfigError("source v4l2:%s: the camera has no control %q: it has %s", w.where, redact.Line(want.name), w.controls(d, all))
		}
		c := all[i]
		switch {
		case c.ReadOnly:
			return camera.ConfigError("source v4l2:%s: control %s can only be read", w.where, c.Name)
		case !c.Button && (want.value < c.Min || want.value > c.Max):
			return camera.ConfigError("source v4l2:%s: control %s: got %d, want %d to %d", w.where, c.Name, want.value, c.Min, c.Max)
		}
		got, err := d.SetValue(c, want.value)
		if err != nil {
			if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EACCES) {
				// An automatic holds it; or the driver takes only some of the values.
				return camera.ConfigError("source v4l2:%s: the camera refuses to set %s to %d: is an automatic on that sets it itself?", w.where, c.Name, want.value)
			}
			return err
		}
		if got != want.value && !c.Button {
			w.log.Warn("camera set a control otherwise", "control", c.Name, "asked", want.value, "set", got)
		}
	}
	return nil
}

// controls are all controls, for people.
func (w *webcam) controls(d *v4l2.Device, all []v4l2.Control) string {
	var b []string
	for _, c := range all {
		switch now, err := d.Value(c); {
		case c.Button:
			b = append(b, c.Name)
		case err != nil: // write only
			b = append(b, fmt.Sprintf("%s (%d to %d)", c.Name, c.Min, c.Max))
		default:
			b = append(b, fmt.Sprintf("%s (%d to %d, now %d)", c.Name, c.Min, c.Max, now))
		}
	}
	if len(b) == 0 {
		return "none"
	}
	return strings.Join(b, ", ")
}

// run hands out pictures until ctx is done or the camera fails.
func (s *webcamStream) run(ctx context.Context) error {
	s.settling = camera.NewExposureSettler(s.settle)
	patience := max(webcamStall, time.Duration(8*s.between()))
	began := time.Now()
	deadline := began.Add(max(cmp.Or(s.wait, webcamFirst), patience))
	for {
		var pic []byte
		var at time.Time
		var bad error
		err := s.device.Next(deadline, func(b v4l2.Buffer) {
			at = s.exposed(b)
			pic, bad = s.grab(b.Data)
		})
		if ctx.Err() != nil {
			return nil
		}
		for ; s.flagged < s.device.Counts().Bad; s.flagged++ {
			s.emit(camera.Frame{Damage: errFlagged})
		}
		if err != nil {
			return s.failed(err, time.Since(began))
		}
		if bad == nil {
			pic, bad = s.finish(pic)
		}
		switch {
		case bad != nil:
			s.complain(bad)
			continue
		case pic == nil: // it is not time yet, or the exposure has not settled
		case len(pic) > s.max:
			s.complain(fmt.Errorf("got a picture of %d bytes, want at most %s", len(pic), camera.ByteCount(s.max)))
			continue
		default:
			s.emit(camera.Frame{JPEG: pic, At: at, Settled: s.raw != nil})
		}
		if ctx.Err() != nil {
			return nil
		}
		began = time.Now()
		deadline = began.Add(patience)
	}
}

// between is the time between pictures; the usual one when it is not known.
func (s *webcamStream) between() time.Duration {
	if s.rate > 0 {
		return camera.Interval(s.rate)
	}
	return camera.Interval(30)
}

// exposed is a time before which the picture was not exposed. A driver that
// stamps the end of a picture stamps it after at most one interval of exposure.
func (s *webcamStream) exposed(b v4l2.Buffer) time.Time {
	if b.Exact {
		return b.Start
	}
	return b.Start.Add(-s.between())
}

// grab takes a picture out of the driver's buffer. The result is nil for a raw
// one that is not needed or that still has to be encoded.
func (s *webcamStream) grab(b []byte) ([]byte, error) {
	if s.raw == nil {
		return slices.Clone(b), nil
	}
	return nil, s.raw.take(b)
}

// finish makes a whole JPEG of what grab took; nil when it is not to be shown.
func (s *webcamStream) finish(b []byte) ([]byte, error) {
	if s.raw != nil {
		now := time.Now()
		if s.settling.Waiting() && !s.settling.Ready(s.raw.mean(), now) || !s.due(now) {
			return nil, nil
		}
		return s.raw.jpeg()
	}
	in, err := jpeg.Scan(b)
	if err != nil {
		return nil, err
	}
	return camera.TrimPicture(b, in.Len), nil
}

// due says whether a raw picture is worth encoding: a driver may be faster than
// what was asked for. One that is a quarter of an interval early is in time.
func (s *webcamStream) due(now time.Time) bool {
	if s.every == 0 {
		return true
	}
	if now.Before(s.next.Add(-s.every / 4)) {
		return false
	}
	s.next = s.next.Add(s.every)
	if s.next.Before(now) {
		s.next = now.Add(s.every)
	}
	return true
}

// errFlagged is what is known of a picture with V4L2_BUF_FLAG_ERROR
// (linux/videodev2.h).
var errFlagged = errors.New("the driver says that its data is damaged")

// complain counts a picture that is of no use.
func (s *webcamStream) complain(err error) {
	s.broken++
	s.emit(camera.Frame{Damage: err})
}

// failed says why no picture came.
func (s *webcamStream) failed(err error, waited time.Duration) error {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	text := fmt.Sprintf("no picture from camera %s for %s", s.device.Path(), waited.Round(100*time.Millisecond))
	if n := s.device.Counts().Bad + int64(s.broken); n > 0 {
		text = fmt.Sprintf("no whole picture from camera %s for %s: %d were damaged", s.device.Path(), waited.Round(100*time.Millisecond), n)
	}
	return &camera.Error{Code: camera.Stalled, Text: text, Err: err}
}
