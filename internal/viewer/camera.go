package viewer

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"camqtt/internal/mqttclient"
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
	// Clock is what is known of the camera's clock.
	Clock Clock
}

// Age returns how old something is that happened at a time of the camera's clock.
func (c Camera) Age(t, now time.Time) time.Duration { return max(0, now.Sub(c.Clock.Ours(t))) }

// What is kept of what cameras say of themselves.
const (
	maxCameras = 10_000
	maxFacts   = 64 << 10 // bytes of info, state or stats; more than any has is not read
	maxWord    = 64       // bytes of status
)

// Lost reports whether the camera claims to be online or sleeping but has been silent
// for three heartbeats. topics.md: stats is the heartbeat, of the node also while its
// camera sleeps.
func (c Camera) Lost(now time.Time) bool {
	every := time.Duration(cmp.Or(c.Stats.Every, c.Info.StatsEvery) * float64(time.Second))
	if every <= 0 {
		every = 30 * time.Second
	}
	last := c.Heard
	if last.IsZero() {
		last = c.Seen
	}
	return (c.Status == wire.Online || c.Status == wire.Sleeping) && now.Sub(last) > 3*every
}

// Online reports whether the camera can be expected to answer.
func (c Camera) Online(now time.Time) bool { return c.Status == wire.Online && !c.Lost(now) }

// learn notes what a message says of a camera. v.mu is held.
func (v *Viewer) learn(id wire.ID, kind wire.Kind, m wire.Message) {
	if kind == wire.KindCmd || kind == wire.KindSet || v.only != "" && id != v.only {
		return
	}
	c := v.cams[id]
	fact := slices.Contains([]wire.Kind{wire.KindStatus, wire.KindInfo, wire.KindState, wire.KindStats}, kind)
	if fact && (len(m.Payload) > maxWord && kind == wire.KindStatus || len(m.Payload) > maxFacts) {
		return // no camera says so much of itself
	}
	if c == nil && fact && len(m.Payload) > 0 && len(v.cams) < maxCameras {
		c = &Camera{ID: id, Seen: time.Now()}
		v.cams[id] = c
	}
	if m.Retained {
		v.retained = true
	}
	if c == nil {
		if !m.Retained && len(m.Payload) > 0 {
			v.meet(id)
		}
		return
	}
	if !m.Retained {
		c.Heard = time.Now()
	}
	v.note(c, kind, m)
	if c.Status == "" && c.Info.ID == "" { // cleared: the camera has been forgotten
		delete(v.cams, id)
		if kind == wire.KindStats || kind == wire.KindState && len(m.Payload) > 0 {
			v.meet(id) // it is there, and what the broker kept of it was cleared
		}
	}
}

// note takes what a message says. v.mu is held.
func (v *Viewer) note(c *Camera, kind wire.Kind, m wire.Message) {
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
		v.timed(c, c.Stats.TS, m)
	case wire.KindResult:
		if r, ok := result(m); ok && !r.Late {
			v.timed(c, r.TS, m)
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
// cannot be asked: nobody knows it, or it is offline. A camera of which the broker does
// not tell is asked with hello, and answers within half a second; a sleeping one may
// have a bridge that answers.
func (v *Viewer) Find(ctx context.Context, id wire.ID, patience time.Duration) (Camera, error) {
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	silence := time.NewTimer(min(patience, retainedTime))
	defer silence.Stop()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for {
		c, known := v.Camera(id)
		if c.reachable() {
			return c, nil
		}
		select {
		case <-ctx.Done():
			return c, context.Cause(ctx)
		case <-look.C:
			continue
		case <-silence.C:
			if !known {
				v.mu.Lock()
				v.meet(id)
				v.mu.Unlock()
			}
			continue
		case <-deadline.C:
		}
		if !known {
			others := v.others(ctx) // which takes time
			if c, known = v.Camera(id); !known {
				return c, fmt.Errorf("%w %s on the broker%s", ErrUnknown, id, others)
			}
		}
		if c.reachable() {
			return c, nil
		}
		return c, fmt.Errorf("camera %s is %s", id, c.Status)
	}
}

// reachable reports whether the camera can be asked.
func (c Camera) reachable() bool { return c.Status == wire.Online || c.Status == wire.Sleeping }

// ErrUnknown is the error of a camera that the broker does not know.
var ErrUnknown = errors.New("no camera")

// others names the cameras there are, for a message. A viewer of one camera has to ask
// the broker.
func (v *Viewer) others(ctx context.Context) string {
	if v.opts.Camera != "" {
		v.overhear(ctx)
	}
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

// overhear has the broker tell of all cameras of which it keeps a status.
func (v *Viewer) overhear(ctx context.Context) {
	v.mu.Lock()
	v.only = ""
	v.mu.Unlock()
	answer := v.opts.Link.Subscribe(ctx, mqttclient.Subscription{Filter: v.opts.Base.Every(wire.KindStatus), QoS: 1})
	select {
	case <-answer:
	case <-ctx.Done():
	}
	select {
	case <-time.After(retainedTime):
	case <-ctx.Done():
	}
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
