package viewer

import "time"

const (
	// inStep is the greatest delay of a message that does not count as a difference of
	// clocks while no answer tells one from the other.
	inStep = 1500 * time.Millisecond
	// setBack is how far a camera's time may go back before its clock was set.
	setBack = 2 * time.Second
	// clockMemory is how long an observation counts: clocks drift.
	clockMemory = 15 * time.Minute
)

// Clock estimates by how much a camera's clock is ahead of ours, from the times in what
// the camera sends. The zero value knows nothing.
//
// A message cannot arrive before it was written, which gives a lower bound; a question
// cannot be heard before it was asked, which gives an upper one.
type Clock struct {
	least, most     time.Duration
	leastAt, mostAt time.Time // by our clock; zero: there is no such bound
	newest          time.Time // newest time of the camera
}

// Sent learns from a message that the camera wrote at a time of its clock.
func (c *Clock) Sent(written, arrived time.Time) {
	if written.Before(c.newest.Add(-setBack)) {
		*c = Clock{}
	}
	if written.After(c.newest) {
		c.newest = written
	}
	ahead := written.Sub(arrived)
	if c.leastAt.IsZero() || ahead >= c.least || arrived.Sub(c.leastAt) > clockMemory {
		c.least, c.leastAt = ahead, arrived
	}
	if !c.mostAt.IsZero() && c.least > c.most { // it was set forward since
		c.mostAt = time.Time{}
	}
}

// Answered learns from a question that was asked at a time of our clock and heard at one
// of the camera's. The answer's own time is given to [Clock.Sent] before.
func (c *Clock) Answered(asked, heard time.Time) {
	ahead := heard.Sub(asked)
	if c.mostAt.IsZero() || ahead <= c.most || asked.Sub(c.mostAt) > clockMemory {
		c.most, c.mostAt = ahead, asked
	}
	if c.least > c.most { // it was set back since, by little
		c.least = c.most
	}
}

// Known reports whether anything is known of the clock.
func (c *Clock) Known() bool { return !c.leastAt.IsZero() }

// Ahead returns by how much the camera's clock is ahead, negative when it is behind, and 0
// while the clocks agree as far as is known.
func (c *Clock) Ahead() time.Duration {
	switch {
	case c.leastAt.IsZero():
		return 0
	case c.mostAt.IsZero():
		if c.least > 0 || c.least < -inStep {
			return c.least
		}
		return 0
	case c.least > 0, c.most < 0:
		return c.most // questions are small and travel fast, an answer may come behind a picture
	}
	return 0
}

// Ours returns a time of the camera by our clock.
func (c *Clock) Ours(t time.Time) time.Time { return t.Add(-c.Ahead()) }
