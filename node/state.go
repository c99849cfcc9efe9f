package node

import (
	"slices"
	"strings"
	"time"

	"camqtt/internal/wire"
)

// statePublisher publishes what the camera does: a change, at most once a second.
type statePublisher struct {
	topics
	outbox   *outbox
	settings *settings
	demand   demand
	runner   *runner
	newest   *newest
	faults   *faults
	privacy  *privacy
	kept     *keptSettings
	intake   *intake
	presence *presence
	clock    *clockCheck
	noRetain func() bool // the broker keeps no retained messages

	changed bool
	at      time.Time // when a change may be published; zero: nothing has changed
	last    time.Time // when state was last published
}

// touch notes that something has changed.
func (s *statePublisher) touch() { s.changed = true }

// said notes that state is published now by other means.
func (s *statePublisher) said(now time.Time) { s.last, s.at, s.changed = now, time.Time{}, false }

func (s *statePublisher) next() time.Time { return s.at }

func (s *statePublisher) run(now time.Time) {
	if s.changed {
		s.changed = false
		if s.at.IsZero() {
			s.at = s.last.Add(stateEvery)
		}
	}
	if !due(s.at, now) {
		return
	}
	s.said(now)
	if s.presence.serving() {
		s.outbox.publish(s.message())
	}
}

func (s *statePublisher) message() wire.Message { return s.json(wire.KindState, s.state()) }

func (s *statePublisher) state() wire.State {
	state := wire.State{
		Streaming: s.demand.leases.any(),
		Viewers:   len(s.demand.leases.held),
		Quality:   s.settings.quality(),
		Privacy:   s.settings.private && s.privacy.confirmed && s.runner.open == nil,
		Warm:      s.runner.warm(),
		Warning:   s.warning(),
		Error:     s.problem(),
	}
	s.newest.state(&state)
	if state.Streaming {
		state.FPS = s.demand.rate()
		if most := s.runner.profile().MaxFPS; most > 0 {
			state.FPS = min(state.FPS, most)
		}
	}
	if f := s.settings.flash(); f != 0 {
		f = max(f, 0)
		state.Flash = &f
	}
	if o := s.runner.open; o != nil && o.mode.Quality > 0 {
		state.Quality = o.mode.Quality
	}
	if state.Quality == 0 {
		state.Quality = s.kept.now.Last.Quality
	}
	if s.settings.size() != (wire.Size{}) {
		state.Size = s.settings.size().String()
	}
	return state
}

// problem is why the camera does not work, nil when it does.
func (s *statePublisher) problem() *wire.Problem {
	if s.presence.twin != "" {
		return &wire.Problem{Code: wire.Config, Text: s.presence.twin}
	}
	if p := s.privacy.problem(); p != nil {
		return p
	}
	if f := s.faults.now; f != nil {
		return &wire.Problem{Code: f.code, Text: f.text}
	}
	return nil
}

// warning is what people must be told while pictures come, "" when nothing.
func (s *statePublisher) warning() string {
	all := []string{s.runner.profile().Warning, s.intake.scaling, s.privacy.warning(), s.kept.warning(), s.clock.text}
	if s.noRetain() {
		all = append(all, "the broker keeps no retained messages: a new viewer sees the camera when it next sends something")
	}
	return strings.Join(slices.DeleteFunc(all, func(text string) bool { return text == "" }), "; ")
}
