package node

import (
	"slices"
	"strings"
	"time"

	"camqtt/internal/wire"
)

// stated remembers what was published on state, and when.
type stated struct {
	dirty         bool
	due           time.Time // when a change may be published; zero: nothing to say
	at            time.Time
	width, height int
	warning       string // of the camera, when last looked at
	known         string // what the last info said of the camera
}

// sized notes the size of the newest picture.
func (l *loop) sized(width, height int) {
	if s := &l.stated; s.width != width || s.height != height {
		s.width, s.height, s.dirty = width, height, true
	}
}

// state says what the camera does now.
func (l *loop) state() wire.State {
	s := wire.State{
		Streaming: len(l.leases) > 0,
		Viewers:   len(l.leases),
		Width:     l.stated.width,
		Height:    l.stated.height,
		Quality:   l.settings.quality,
		Privacy:   l.private(),
		Warm:      l.run != nil && l.run.warm(),
	}
	if s.Streaming {
		s.FPS = l.rate()
		if most := l.profile().MaxFPS; most > 0 {
			s.FPS = min(s.FPS, most)
		}
	}
	if f := l.settings.flash; f != 0 {
		f = max(f, 0)
		s.Flash = &f
	}
	if l.run != nil && l.run.mode.Quality > 0 {
		s.Quality = l.run.mode.Quality
	}
	if s.Quality == 0 {
		s.Quality = l.kept.now.Last.Quality
	}
	if l.settings.size != (wire.Size{}) {
		s.Size = l.settings.size.String()
	}
	if !l.lastAt.IsZero() {
		at := wire.At(l.lastAt)
		s.LastFrame = &at
	}
	s.Warning = l.warning()
	switch {
	case l.presence.twin != "":
		s.Error = &wire.Problem{Code: wire.Config, Text: l.presence.twin}
	case l.secrecy.unknown != "" && l.settings.privacy:
		s.Error = &wire.Problem{Code: wire.Config, Text: l.secrecy.unknown}
	case l.fault != nil:
		s.Error = &wire.Problem{Code: l.fault.code, Text: l.fault.text}
	}
	return s
}

// warning is what people must be told while pictures come, "" when nothing.
func (l *loop) warning() string {
	all := []string{l.profile().Warning, l.scaling, l.caution(), l.kept.warning()}
	if l.noRetain.Load() {
		all = append(all, "the broker keeps no retained messages: a new viewer sees the camera when it next sends something")
	}
	return strings.Join(slices.DeleteFunc(all, func(s string) bool { return s == "" }), "; ")
}

// publishState publishes a change, at most once a second.
func (l *loop) publishState(now time.Time) {
	s := &l.stated
	if s.dirty {
		s.dirty = false
		if s.due.IsZero() {
			s.due = s.at.Add(stateEvery)
		}
	}
	if s.due.IsZero() || now.Before(s.due) {
		return
	}
	s.due, s.at = time.Time{}, now
	if l.presence.online && !l.presence.standby {
		l.outbox.add(item{msgs: []wire.Message{l.json(wire.KindState, l.state())}, state: true})
	}
}

// stream says when a stream has begun or ended. Its last picture stays as the
// retained preview, so that a wall of idle tiles shows what was last seen.
func (l *loop) stream(now time.Time) {
	live := len(l.leases) > 0
	if live == l.wasLive {
		return
	}
	l.wasLive = live
	l.stated.dirty = true
	kind := wire.EventStreamStopped
	if live {
		kind = wire.EventStreamStarted
	}
	if !live && l.settings.retain && l.lastPic != nil && l.fits(l.lastPic) && !l.settings.privacy {
		last := l.Node.message(wire.KindPreview, l.bytes(l.lastPic))
		last.Retained = true
		l.outbox.add(item{msgs: []wire.Message{last}, state: true, picture: true})
	}
	l.outbox.add(item{shot: &shot{event: &wire.Event{Type: kind, TS: wire.At(now)}}})
}
