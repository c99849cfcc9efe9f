package node

import (
	"fmt"
	"strings"
	"time"

	"camqtt/internal/wire"
)

// commands carries out the messages on cmd.
type commands struct {
	count     *counters
	flood     *flood
	settings  *settings
	leases    *leases
	runner    *runner
	publisher *publisher
	responder *responder
	hellos    *helloAll
	presence  *presence
	clock     *clockCheck
}

// handle carries out one message; all is whether it is for all cameras. An empty payload
// is no command: it is how a retained message is cleared.
func (c *commands) handle(x note, all bool) {
	if len(x.msg.Payload) == 0 || c.presence.standby {
		return
	}
	c.count.commands.Add(1)
	cmd, err := wire.ParseCommand(x.msg.Payload, x.at)
	if c.responder.ignore(x.msg, string(cmd.Verb), cmd.ID) {
		return
	}
	c.clock.received(cmd.Sent, x.at)
	if err != nil {
		c.responder.refuse(err)
		return
	}
	if c.settings.private && (cmd.Verb == wire.Snap || cmd.Verb == wire.Still || cmd.Verb == wire.Start) {
		c.responder.answer(cmd, x.at, wire.Privacy, "privacy is on: set privacy off first")
		return
	}
	switch cmd.Verb {
	case wire.Snap, wire.Still:
		c.request(request{cmd: cmd, at: x.at})
	case wire.Start:
		c.start(cmd, x.at)
	case wire.Stop:
		c.responder.answer(cmd, x.at, wire.OK, c.leases.end(cmd.Viewer))
	case wire.Hello:
		c.hello(request{cmd: cmd, at: x.at}, all)
	}
}

// request takes a snap or still: from memory when an older picture will do, else it
// waits for one exposed from now on, together with all that wait already.
func (c *commands) request(r request) {
	r.cold = !c.runner.warm()
	if c.publisher.serveNewest(r, time.Now()) {
		return
	}
	if f := c.runner.refusal(r.at); f != nil {
		c.responder.answerRequest(r, f.code, f.text)
		return
	}
	c.runner.wait(r)
}

// defaultLease is how long the lease of a viewer lasts that does not say.
const defaultLease = 30 * time.Second

// start takes or renews a lease. The result comes at once when pictures flow
// or the camera is known to be broken, else with the first picture.
func (c *commands) start(cmd wire.Command, at time.Time) {
	viewer, lasts := cmd.Viewer, cmd.For
	if viewer == "" {
		viewer = wire.Manual
	} else if lasts == 0 {
		lasts = defaultLease
	}
	var notes []string
	if most := c.settings.duration(wire.SetMaxStream); most > 0 && (lasts == 0 || lasts > most) {
		if lasts > most {
			notes = append(notes, fmt.Sprintf("for is cut to %s (max_stream)", most))
		}
		lasts = most
	}
	le := lease{fps: cmd.FPS, size: cmd.Size, quality: cmd.Quality}
	if lasts > 0 {
		le.until = at.Add(lasts)
	}
	if text := c.leases.grant(viewer, le); text != "" {
		notes = append(notes, text)
	}
	note := strings.Join(notes, "; ")
	c.runner.run(at)
	switch f := c.runner.faults.now; {
	case c.runner.warm():
		c.responder.answer(cmd, at, wire.OK, note)
	case c.runner.open == nil && f != nil:
		c.responder.answer(cmd, at, f.code, f.text)
	default:
		c.runner.wait(request{cmd: cmd, at: at, lease: true, note: note})
	}
}

// hello publishes status, info and state again; after a moment when every camera was
// asked at once.
func (c *commands) hello(r request, all bool) {
	switch {
	case !all:
		c.greet([]request{r})
	case !c.hellos.add(r):
		c.flood.add(string(r.cmd.Verb), r.cmd.ID)
	}
}

// greet carries out commands hello.
func (c *commands) greet(asked []request) {
	if c.presence.standby {
		return
	}
	c.presence.announce()
	for _, r := range asked {
		c.responder.answer(r.cmd, r.at, wire.OK, "")
	}
}
