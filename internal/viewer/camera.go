package viewer

import (
	"cmp"
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
	// Clock is what is known of the camera's clock.
	Clock     Clock
	clockTold time.Time // when the camera was last told that its clock differs, or agrees
}

// Age returns how old something is that happened at a time of the camera's clock.
func (c Camera) Age(t, now time.Time) time.Duration { return max(0, now.Sub(c.Clock.Ours(t))) }

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

// reachable reports whether the camera can be asked.
func (c Camera) reachable() bool { return c.Status == wire.Online || c.Status == wire.Sleeping }

// clockDiffers is by how much a clock is off that people are told of.
const clockDiffers = 5 * time.Second

// ClockProblem says in words for people that a camera's clock differs; "" while it agrees.
func (c Camera) ClockProblem() string {
	switch ahead := c.Clock.Ahead(); {
	case ahead >= clockDiffers:
		return "its clock is " + roughly(ahead) + " ahead of this machine's"
	case ahead <= -clockDiffers:
		return "its clock is " + roughly(-ahead) + " behind this machine's"
	}
	return ""
}

// Warning is what people should know of a camera while its pictures come, "" for nothing.
func (c Camera) Warning() string {
	return strings.Join(slices.DeleteFunc([]string{c.State.Warning, c.ClockProblem()}, func(s string) bool { return s == "" }), "; ")
}

// roughly says a duration in its largest unit.
func roughly(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 2*day:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d/day))
}
