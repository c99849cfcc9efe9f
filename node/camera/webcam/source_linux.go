package webcam

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"camqtt/internal/redact"
	"camqtt/node/camera"
	"camqtt/node/camera/webcam/v4l2"
)

// profileEvery is how often Profile looks for a camera that is not there.
const profileEvery = 5 * time.Second

// plugPoll is how often a camera is looked for that is not there.
const plugPoll = 2 * time.Second

// webcam is a camera of this machine: "v4l2:/dev/video0", "v4l2:usb-SERIAL",
// "v4l2:usb-1-1", or "v4l2:" for the only one; behind a question mark settle=,
// format= and controls of the camera by name.
type webcam struct {
	webcamOptions
	log  *slog.Logger
	max  int
	wait time.Duration // for the first picture; 0 is webcamFirst
	find finder

	// searching is held while the camera is looked for, which can take a moment;
	// who the camera was and what has been said is only for who holds it.
	searching sync.Mutex
	id        string // who the camera was that a path led to
	told      string // where it has gone, as far as that has been said
	warned    bool   // that it has no JPEGs has been said

	mu      sync.Mutex // over what is below, never for long
	profile camera.Profile
	known   bool      // profile is that of a camera that was there
	asked   time.Time // when Profile last looked
}

func openWebcam(rest string, o camera.Options) (camera.Source, error) {
	parsed, err := parseWebcam(rest)
	if err != nil {
		return nil, err
	}
	if parsed.settle == unsaid {
		parsed.settle = max(o.Settle, 0)
	}
	return &webcam{
		webcamOptions: parsed, log: o.Log, max: o.MaxPicture, wait: o.Timeout, find: newFinder(),
		// As long as it is not known what the camera can do, it is asked for what is
		// wanted: it does what it can.
		profile: camera.Profile{Kind: "v4l2", Caps: []string{camera.CapSize, camera.CapFPS}, Poll: plugPoll},
	}, nil
}

// SettleTime is what settle= says, or the configuration beside it.
func (w *webcam) SettleTime() time.Duration { return w.settle }

// Profile looks for the camera, now and then, until it has been there once. It
// holds nothing open, and does not wait for a Stream that is looking already.
func (w *webcam) Profile() camera.Profile {
	if w.due() && w.searching.TryLock() {
		if c, err := w.search(context.Background()); err == nil {
			w.learn(c)
		}
		w.searching.Unlock()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.profile
	p.Sizes, p.Caps = slices.Clone(p.Sizes), slices.Clone(p.Caps)
	return p
}

// due says whether Profile should look for the camera.
func (w *webcam) due() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.known || !w.asked.IsZero() && time.Since(w.asked) < profileEvery {
		return false
	}
	w.asked = time.Now()
	return true
}

// locate finds the camera and learns what it can do.
func (w *webcam) locate(ctx context.Context) (webcamNode, error) {
	w.searching.Lock()
	defer w.searching.Unlock()
	c, err := w.search(ctx)
	if err == nil {
		w.learn(c)
	}
	return c, err
}

// search finds the camera. One that was given by path is remembered by who it
// is: plugged in again it may have another number, and its number may be
// another camera's.
func (w *webcam) search(ctx context.Context) (webcamNode, error) {
	switch {
	case w.where == "":
		return w.find.only(ctx)
	case strings.HasPrefix(w.where, "usb-"):
		return w.find.byID(ctx, w.where)
	}
	c, err := w.find.byPath(ctx, w.where)
	if w.id == "" || err == nil && c.id() == w.id {
		return c, err
	}
	if moved, lost := w.find.byID(ctx, w.id); lost == nil {
		if w.told != moved.Path {
			w.told = moved.Path
			w.log.Warn("camera has another device now", "was", w.where, "is", moved.Path, "better", "v4l2:"+w.id)
		}
		return moved, nil
	}
	return c, err
}

// learn keeps what is known of a camera that is there.
func (w *webcam) learn(c webcamNode) {
	w.id = c.id()
	p := camera.Profile{Kind: "v4l2", Model: c.name(), Sizes: c.sizes, MaxFPS: c.maxFPS, Caps: []string{camera.CapFPS}, Poll: plugPoll}
	if c.USB != nil {
		p.Make, p.Serial = redact.Line(c.USB.Maker), redact.Line(c.USB.Serial)
	}
	if len(c.sizes) != 1 {
		p.Caps = append(p.Caps, camera.CapSize)
	}
	if c.quality {
		p.Caps = append(p.Caps, camera.CapQuality)
	}
	if best := c.formats[0]; !isJPEG(best) || w.format != 0 && !isJPEG(w.format) {
		if w.format != 0 {
			best = w.format
		}
		p.Warning = fmt.Sprintf("it gives no JPEGs but %s: encoding each picture costs processor time", best)
		if !w.warned {
			w.log.Warn("camera gives no JPEGs: encoding them here costs CPU for every picture", "model", c.name(), "format", best.String())
		}
		w.warned = true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.profile, w.known = p, true
}

// Stream opens the camera, sets it and hands out its pictures. A camera that
// stops delivering ends with Stalled, one that is pulled out with NoCamera; the
// next Stream looks for it anew, whatever number it has then.
func (w *webcam) Stream(ctx context.Context, m camera.Mode, emit func(camera.Frame)) error {
	if err := m.Check(); err != nil {
		return err
	}
	c, err := w.locate(ctx)
	if err == nil {
		err = w.stream(ctx, webcamTake{c, m, emit})
	} else if filepath.IsAbs(w.where) {
		c.Path = w.where
	}
	if ctx.Err() != nil || err == nil {
		return nil
	}
	return webcamError(c.Path, err)
}

// webcamTake is what one Stream is about.
type webcamTake struct {
	camera webcamNode
	mode   camera.Mode
	emit   func(camera.Frame)
}

// stream runs the camera on a descriptor of its own.
func (w *webcam) stream(ctx context.Context, t webcamTake) error {
	d, err := v4l2.Open(t.camera.Path)
	if err != nil {
		return err
	}
	defer d.Close() // a camera that is gone cannot even be closed without complaint
	s, err := w.setUp(d, t)
	if err != nil {
		return err
	}
	if err := d.Start(buffers); err != nil {
		return err
	}
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() { // ends at once
		d.Interrupt()
		close(interrupted)
	})
	defer func() {
		if !stop() {
			<-interrupted
		}
	}()
	w.log.Debug("camera streams", "model", t.camera.name(), "path", t.camera.Path, "format", s.format.FourCC.String(),
		"size", camera.Size(s.format.Size), "fps", s.rate)
	err = s.run(ctx)
	if n := d.Counts(); s.broken > 0 || n != (v4l2.Counts{}) {
		w.log.Debug("camera's pictures left out", "damaged", n.Bad, "broken", s.broken, "lost", n.Lost, "replaced", n.Replaced)
	}
	return err
}
