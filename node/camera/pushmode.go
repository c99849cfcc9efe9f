package camera

import (
	"fmt"
	"slices"
	"time"

	"camqtt/internal/redact"
)

const (
	// PushFirst is how long a request waits for a camera that sends by itself, where it
	// is not known how often it sends.
	PushFirst = time.Minute
	// pushLeast is the shortest such wait: boards are not on time.
	pushLeast = 15 * time.Second
	pushMost  = 24 * time.Hour
)

// PushMode is how a camera sends its pictures by itself. The zero value is a camera of
// which nothing is known.
type PushMode struct {
	// Every is the time between its pictures; 0 is not known.
	Every time.Duration
	// Always publishes each picture as a snapshot, whether or not it was asked for.
	Always bool
}

// PushOptions are the names of the options that [PushMode.Set] takes.
func PushOptions() []string { return []string{"every", "publish"} }

// Set takes one option of a source.
func (p *PushMode) Set(key, value string) (err error) {
	switch key {
	case "every":
		if p.Every, err = time.ParseDuration(value); err != nil || p.Every < time.Second || p.Every > pushMost {
			return fmt.Errorf("every %q: want 1s to 24h, such as 10m", redact.Line(value))
		}
	case "publish":
		if !slices.Contains([]string{"asked", "always"}, value) {
			return fmt.Errorf("publish %q: want asked or always", redact.Line(value))
		}
		p.Always = value == "always"
	default:
		return fmt.Errorf("unknown key %q: want every or publish", redact.Line(key))
	}
	return nil
}

// Profile is that of a camera which cannot be asked and obeys nothing.
func (p PushMode) Profile(kind, model string) Profile {
	first := PushFirst
	if p.Every > 0 {
		first = max(p.Every+p.Every/2, pushLeast)
	}
	return Profile{
		Kind: kind, Model: model, Instant: true, FirstFrame: first,
		Unasked: true, Every: p.Every, Deliberate: p.Always,
	}
}
