package node

import (
	"log/slog"
	"slices"
	"time"

	"camqtt/internal/wire"
)

// fault is why the camera cannot be used, until a picture comes.
type fault struct {
	code   wire.Code
	text   string
	at     time.Time
	denied bool // the camera refused the user or the password
}

// faults knows what is wrong with the camera now.
type faults struct {
	now     *fault // nil: nothing is known to be wrong
	log     *slog.Logger
	event   func(wire.Event)
	changed func()
}

// set notes a fault. One that was not known before is logged and published as an event.
func (f *faults) set(x fault) {
	// The texts of these count seconds, pictures or bytes: they differ every time.
	counts := slices.Contains([]wire.Code{wire.Stalled, wire.TooLarge}, x.code)
	known := f.now != nil && f.now.code == x.code && (counts || f.now.text == x.text)
	f.now = &x
	if !known || x.code != wire.TooLarge { // which may happen many times a second
		f.changed()
	}
	if known {
		return
	}
	f.log.Warn("camera failed", "code", string(x.code), "err", x.text)
	f.event(wire.Event{Type: wire.EventError, TS: wire.At(x.at), Code: x.code, Text: x.text})
}

// end notes that the camera delivers again.
func (f *faults) end() {
	if f.now == nil {
		return
	}
	f.log.Info("camera delivers again", "after", string(f.now.code))
	f.now = nil
	f.changed()
}
