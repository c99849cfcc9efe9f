package viewer

import (
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"camqtt/internal/jpeg"
	"camqtt/internal/wire"
)

// directory knows the cameras on the broker from what they say of themselves.
type directory struct {
	log   *slog.Logger
	hello func(wire.ID) // asks a camera to say what it is; it may block
	tell  func(wire.ID) // tells a camera the time; it may block; nil is not at all

	mu       sync.Mutex
	only     wire.ID // the camera that is learned of; "" is all
	cams     map[wire.ID]*Camera
	asked    map[wire.ID]time.Time // when hello was last sent to cameras that are not known
	retained bool                  // the broker has told of a camera since the last connect
}

func newDirectory(only wire.ID, log *slog.Logger, hello func(wire.ID)) *directory {
	return &directory{
		log: log, hello: hello, only: only, cams: map[wire.ID]*Camera{}, asked: map[wire.ID]time.Time{},
	}
}

// connected forgets what the broker has told.
func (d *directory) connected() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.retained = false
}

// told reports whether the broker has told of a camera since the last connect.
func (d *directory) told() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.retained
}

// learnAll has the directory learn of all cameras from now on.
func (d *directory) learnAll() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.only = ""
}

// all returns every camera known, in the order of their ids.
func (d *directory) all() []Camera {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := make([]Camera, 0, len(d.cams))
	for _, id := range slices.Sorted(maps.Keys(d.cams)) {
		all = append(all, *d.cams[id])
	}
	return all
}

// camera returns one camera, if it is known.
func (d *directory) camera(id wire.ID) (Camera, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if c := d.cams[id]; c != nil {
		return *c, true
	}
	return Camera{}, false
}

// What is kept of what cameras say of themselves.
const (
	maxCameras = 10_000
	maxFacts   = 64 << 10 // bytes of info, state or stats; more than any has is not read
	maxWord    = 64       // bytes of status
)

// learn notes what a message says of a camera. d.mu is held.
func (d *directory) learn(id wire.ID, kind wire.Kind, m wire.Message) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if kind == wire.KindCmd || kind == wire.KindSet || d.only != "" && id != d.only {
		return
	}
	c := d.cams[id]
	fact := slices.Contains([]wire.Kind{wire.KindStatus, wire.KindInfo, wire.KindState, wire.KindStats}, kind)
	if fact && (len(m.Payload) > maxWord && kind == wire.KindStatus || len(m.Payload) > maxFacts) {
		return // no camera says so much of itself
	}
	if c == nil && fact && len(m.Payload) > 0 && len(d.cams) < maxCameras {
		c = &Camera{ID: id, Seen: time.Now()}
		d.cams[id] = c
	}
	if m.Retained {
		d.retained = true
	}
	if c == nil {
		if !m.Retained && len(m.Payload) > 0 {
			d.meet(id)
		}
		return
	}
	if !m.Retained {
		c.Heard = time.Now()
	}
	d.note(c, kind, m)
	if c.Status == "" && c.Info.ID == "" { // cleared: the camera has been forgotten
		delete(d.cams, id)
		if kind == wire.KindStats || kind == wire.KindState && len(m.Payload) > 0 {
			d.meet(id) // it is there, and what the broker kept of it was cleared
		}
	}
}

// note takes what a message says. d.mu is held.
func (d *directory) note(c *Camera, kind wire.Kind, m wire.Message) {
	switch kind {
	case wire.KindStatus:
		c.Status = string(m.Payload)
	case wire.KindInfo:
		var i wire.Info
		if learnJSON(m.Payload, &i); !i.Standby { // else another node serves
			c.Info = i
		}
	case wire.KindState:
		c.State = wire.State{}
		learnJSON(m.Payload, &c.State)
	case wire.KindStats:
		learnJSON(m.Payload, &c.Stats)
		d.timed(c, c.Stats.TS, m)
	case wire.KindResult:
		if r, ok := result(m); ok && !r.Late {
			d.timed(c, r.TS, m)
		}
	}
}

// learnJSON reads what it can; a camera that says nonsense is shown without.
func learnJSON[T any](payload []byte, into *T) {
	var got T
	if json.Unmarshal(payload, &got) == nil {
		*into = got
	}
}

// helloEvery is how often a camera is asked what it is that does not say so.
const helloEvery = 30 * time.Second

// ask asks a camera what it is that is not known.
func (d *directory) ask(id wire.ID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.meet(id)
}

// meet asks a camera what it is from which something was received, and that has not said so.
// d.mu is held.
func (d *directory) meet(id wire.ID) {
	now := time.Now()
	if now.Sub(d.asked[id]) < helloEvery || len(d.asked) >= maxCameras {
		return
	}
	d.asked[id] = now
	go d.hello(id) // ends with the message, or the link's time limit
}

// timed learns from a time that a camera has written into a message of this moment.
// d.mu is held.
func (d *directory) timed(c *Camera, written wire.Time, m wire.Message) {
	if m.Retained || written.IsZero() {
		return
	}
	before := c.Clock.Ahead()
	c.Clock.Sent(written.Time, time.Now())
	d.tellClock(c, before)
}

// tellClock logs that a clock has come to differ, or agrees again, and tells the camera.
// While it differs the camera is told again at times: its node may have been restarted.
func (d *directory) tellClock(c *Camera, before time.Duration) {
	now := c.Clock.Ahead()
	differs, differed := now.Abs() >= clockDiffers, before.Abs() >= clockDiffers
	switch {
	case differs && !differed:
		d.log.Warn("camera's clock differs from this machine's", "cam", string(c.ID), "ahead", now.Round(time.Millisecond).String())
	case differed && !differs:
		d.log.Info("camera's clock agrees again", "cam", string(c.ID))
	}
	if d.tell != nil && (differs != differed || differs && time.Since(c.clockTold) >= clockMemory) {
		c.clockTold = time.Now()
		go d.tell(c.ID) // ends with the message, or the link's time limit
	}
}

// picture is a picture of a camera that came without a description.
func (d *directory) picture(id wire.ID, jpg []byte) Picture {
	p := Picture{JPEG: jpg}
	p.At = d.takenAt(id, p)
	return p
}

// takenAt is when a picture was taken, by our clock: as its description says, else its
// EXIF, else now.
func (d *directory) takenAt(id wire.ID, p Picture) time.Time {
	at := p.Meta.TS.Time
	if at.IsZero() {
		t, ok := jpeg.CaptureTime(p.JPEG)
		if !ok {
			return time.Now()
		}
		at = t
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if c := d.cams[id]; c != nil {
		return c.Clock.Ours(at)
	}
	return at
}

// answered learns about a camera's clock from the answer to what was asked at a time.
func (d *directory) answered(id wire.ID, asked time.Time, r wire.Result) {
	if r.TS.IsZero() || r.Late {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if c := d.cams[id]; c != nil {
		before := c.Clock.Ahead()
		c.Clock.Answered(asked, r.TS.Add(-time.Duration(r.TookMS)*time.Millisecond))
		d.tellClock(c, before)
	}
}
