package viewer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"camqtt/internal/wire"
)

// Camera is what is known of one camera.
type Camera struct {
	ID     wire.ID
	Status string // online, sleeping, offline; "" before it is known
	Info   wire.Info
	State  wire.State
	Stats  wire.Stats
	// Heard is when it last said anything that was not a retained leftover,
	// zero before.
	Heard time.Time
	// Seen is when this viewer first heard of it, retained or not.
	Seen time.Time
}

// What is kept of what cameras say of themselves.
const (
	maxCameras = 10_000
	maxFacts   = 64 << 10 // bytes of info, state or stats; more than any has is not read
	maxWord    = 64       // bytes of status
)

// Lost reports whether the camera claims to be online but has been silent for
// three heartbeats. topics.md: stats is the heartbeat.
func (c Camera) Lost(now time.Time) bool {
	every := time.Duration(c.Stats.Every * float64(time.Second))
	if every <= 0 {
		every = 30 * time.Second
	}
	last := c.Heard
	if last.IsZero() {
		last = c.Seen
	}
	return c.Status == wire.Online && now.Sub(last) > 3*every
}

// Online reports whether the camera can be expected to answer.
func (c Camera) Online(now time.Time) bool { return c.Status == wire.Online && !c.Lost(now) }

// learn notes what a message says of a camera. v.mu is held.
func (v *Viewer) learn(id wire.ID, kind wire.Kind, m wire.Message) {
	switch kind {
	case wire.KindStatus, wire.KindInfo, wire.KindState, wire.KindStats:
	default:
		if c := v.cams[id]; c != nil && !m.Retained && kind != wire.KindCmd {
			c.Heard = time.Now()
		}
		return
	}
	if len(m.Payload) > maxWord && kind == wire.KindStatus || len(m.Payload) > maxFacts {
		return // whoever says so much of himself means no good
	}
	c := v.cams[id]
	if c == nil {
		if len(m.Payload) == 0 || len(v.cams) >= maxCameras {
			return
		}
		c = &Camera{ID: id, Seen: time.Now()}
		v.cams[id] = c
	}
	if !m.Retained {
		c.Heard = time.Now()
	}
	switch kind {
	case wire.KindStatus:
		c.Status = string(m.Payload)
	case wire.KindInfo:
		c.Info = wire.Info{}
		learnJSON(m.Payload, &c.Info)
	case wire.KindState:
		c.State = wire.State{}
		learnJSON(m.Payload, &c.State)
	case wire.KindStats:
		learnJSON(m.Payload, &c.Stats)
	}
	if c.Status == "" && c.Info.ID == "" { // cleared: the camera has been forgotten
		delete(v.cams, id)
	}
}

// learnJSON reads what it can; a camera that says nonsense is shown without.
func learnJSON[T any](payload []byte, into *T) {
	var got T
	if json.Unmarshal(payload, &got) == nil {
		*into = got
	}
}

// Cameras returns every camera known, in the order of their ids.
func (v *Viewer) Cameras() []Camera {
	v.mu.Lock()
	defer v.mu.Unlock()
	all := make([]Camera, 0, len(v.cams))
	for _, c := range v.cams {
		all = append(all, *c)
	}
	slices.SortFunc(all, func(a, b Camera) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return all
}

// Find returns a camera once it is online or sleeping, or within patience why it
// cannot be asked: nobody knows it, or it is offline. Cameras answer hello within
// half a second of connecting; a sleeping one may have a bridge that answers.
func (v *Viewer) Find(ctx context.Context, id wire.ID, patience time.Duration) (Camera, error) {
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for {
		c, known := v.Camera(id)
		if known && (c.Status == wire.Online || c.Status == wire.Sleeping) {
			return c, nil
		}
		select {
		case <-ctx.Done():
			return c, context.Cause(ctx)
		case <-look.C:
			continue
		case <-deadline.C:
		}
		if !known {
			return c, fmt.Errorf("%w %s on the broker%s", ErrUnknown, id, v.others())
		}
		return c, fmt.Errorf("camera %s is %s", id, c.Status)
	}
}

// ErrUnknown is the error of a camera that the broker does not know.
var ErrUnknown = errors.New("no camera")

// others names the cameras there are, for a message.
func (v *Viewer) others() string {
	var ids []string
	for _, c := range v.Cameras() {
		ids = append(ids, string(c.ID))
	}
	switch n := len(ids); {
	case n == 0:
		return "; there is none"
	case n > 10:
		return fmt.Sprintf("; there are %s and %d more", strings.Join(ids[:10], ", "), n-10)
	}
	return "; there is " + strings.Join(ids, ", ")
}

// Camera returns one camera, if it is known.
func (v *Viewer) Camera(id wire.ID) (Camera, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if c := v.cams[id]; c != nil {
		return *c, true
	}
	return Camera{}, false
}
