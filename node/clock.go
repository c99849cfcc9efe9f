package node

import (
	"fmt"
	"log/slog"
	"time"

	"camqtt/internal/wire"
)

// clockDiffers is the difference from which on a clock is reported.
const clockDiffers = 5 * time.Second

// clockCheck compares this machine's clock with the ts of commands. The dashboard sends a
// hello with ts to a camera whose clock differs from its own, and another when they agree.
type clockCheck struct {
	log     *slog.Logger
	changed func()
	text    string // for state.warning, "" while nothing differs
}

// received compares the time at which a command was sent with that at which it arrived. A
// command cannot arrive before it was sent. One that is older than a command may be was
// delayed, or the clocks differ.
func (c *clockCheck) received(sent, arrived time.Time) {
	if sent.IsZero() {
		return
	}
	text := ""
	switch late := arrived.Sub(sent); {
	case late <= -clockDiffers:
		text = fmt.Sprintf("this machine's clock is %s behind that of the dashboard", (-late).Round(time.Second))
	case late > wire.MaxCommandAge:
		text = fmt.Sprintf("this machine's clock is %s ahead of that of the dashboard, or commands arrive late", late.Round(time.Second))
	}
	if text == c.text {
		return
	}
	if c.text == "" {
		c.log.Warn("clock differs", "why", text)
	}
	c.text = text
	c.changed()
}
