package viewer

import (
	"testing"
	"time"
)

// The estimate holds whatever the clocks and the line are like.
func TestClock(t *testing.T) {
	const year = 365 * 24 * time.Hour
	now := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		ahead       time.Duration // of the camera's clock
		there, back time.Duration // of a message
		answers     bool
		want, off   time.Duration
	}{
		"in step":                      {0, 10 * time.Millisecond, 20 * time.Millisecond, true, 0, 0},
		"in step, heartbeats only":     {0, 0, 20 * time.Millisecond, false, 0, 0},
		"a day behind":                 {-24 * time.Hour, 50 * time.Millisecond, 50 * time.Millisecond, true, -24 * time.Hour, 100 * time.Millisecond},
		"a day ahead":                  {24 * time.Hour, 50 * time.Millisecond, 50 * time.Millisecond, true, 24 * time.Hour, 100 * time.Millisecond},
		"in 1970":                      {-56 * year, 50 * time.Millisecond, 50 * time.Millisecond, true, -56 * year, 100 * time.Millisecond},
		"a day behind, heartbeats":     {-24 * time.Hour, 0, 50 * time.Millisecond, false, -24 * time.Hour, 100 * time.Millisecond},
		"a second ahead, heartbeats":   {time.Second, 0, 50 * time.Millisecond, false, time.Second, 100 * time.Millisecond},
		"in step on a slow line":       {0, 50 * time.Millisecond, 8 * time.Second, true, 0, 0},
		"ahead on a slow line":         {10 * time.Second, 50 * time.Millisecond, 8 * time.Second, true, 10 * time.Second, 100 * time.Millisecond},
		"behind on a slow line":        {-10 * time.Second, 50 * time.Millisecond, 8 * time.Second, true, -10 * time.Second, 100 * time.Millisecond},
		"slightly off is within doubt": {20 * time.Millisecond, 50 * time.Millisecond, 50 * time.Millisecond, true, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var k Clock
			for n := range 5 {
				asked := now.Add(time.Duration(n) * time.Minute)
				heard := asked.Add(c.there)
				k.Sent(heard.Add(c.ahead), heard.Add(c.back))
				if c.answers {
					k.Answered(asked, heard.Add(c.ahead))
				}
			}
			if got := k.Ahead(); (got - c.want).Abs() > c.off {
				t.Errorf("ahead by %s, want %s within %s", got, c.want, c.off)
			}
		})
	}
}

// A clock that is set, back or forth, is followed.
func TestClockIsSet(t *testing.T) {
	now := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	var k Clock
	for n, ahead := range []time.Duration{0, time.Hour, -time.Hour, 0, -56 * 365 * 24 * time.Hour, 0, 3 * time.Second, 0} {
		at := now.Add(time.Duration(n) * time.Minute)
		k.Sent(at.Add(ahead), at.Add(20*time.Millisecond))
		k.Answered(at.Add(-20*time.Millisecond), at.Add(ahead))
		if got := k.Ahead(); (got - ahead).Abs() > 100*time.Millisecond {
			t.Errorf("observation %d: ahead by %s, want %s", n, got, ahead)
		}
	}
}
