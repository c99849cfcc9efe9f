package viewer

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"camqtt/internal/wire"
)

// timed learns from a time that a camera has written into a message of this moment.
// v.mu is held.
func (v *Viewer) timed(c *Camera, written wire.Time, m wire.Message) {
	if m.Retained || written.IsZero() {
		return
	}
	before := c.Clock.Ahead()
	c.Clock.Sent(written.Time, time.Now())
	v.tellClock(c, before)
}

// tellClock logs that a clock has come to differ, or agrees again.
func (v *Viewer) tellClock(c *Camera, before time.Duration) {
	now := c.Clock.Ahead()
	switch {
	case now.Abs() >= clockDiffers && before.Abs() < clockDiffers:
		v.opts.Log.Warn("camera's clock differs from this machine's", "cam", string(c.ID), "ahead", now.Round(time.Millisecond).String())
	case now.Abs() < clockDiffers && before.Abs() >= clockDiffers:
		v.opts.Log.Info("camera's clock agrees again", "cam", string(c.ID))
	}
}

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
