package node

import (
	"errors"
	"strings"
	"time"

	"camqtt/internal/wire"
)

// receive handles one MQTT message.
func (l *loop) receive(x note) {
	m := x.msg
	if m.Topic == l.opts.Base.AllCmd() {
		l.command(x, true)
		return
	}
	_, kind, ok := l.opts.Base.Split(m.Topic)
	if !ok {
		return
	}
	switch {
	case kind == wire.KindStatus:
		l.sawStatus(m)
	case kind == wire.KindInfo:
		l.sawInfo(m)
	case kind == wire.KindCmd:
		l.command(x, false)
	case kind != wire.KindSet && !strings.HasPrefix(string(kind), "set/"):
	case l.presence.standby: // the other node of this id answers
		l.follow(x, kind)
	default:
		l.set(x, kind)
	}
}

// command carries out one message on cmd. An empty payload is no command: it is
// how a retained message is cleared.
func (l *loop) command(x note, all bool) {
	if len(x.msg.Payload) == 0 || l.presence.standby {
		return
	}
	l.count.commands.Add(1)
	c, err := wire.ParseCommand(x.msg.Payload, x.at)
	if x.msg.Retained {
		l.ignoreRetained(string(c.Verb), c.ID)
		return
	}
	if err != nil {
		l.refuse(err)
		return
	}
	if l.settings.privacy && (c.Verb == wire.Snap || c.Verb == wire.Still || c.Verb == wire.Start) {
		l.answer(c, x.at, wire.Privacy, "privacy is on: set privacy off first")
		return
	}
	switch c.Verb {
	case wire.Snap, wire.Still:
		l.request(request{cmd: c, at: x.at})
	case wire.Start:
		l.start(c, x.at)
	case wire.Stop:
		l.stopLeases(c, x.at)
	case wire.Hello:
		l.hello(c, x.at, all)
	}
}

// hello publishes status, info and state again; after a moment when every
// camera was asked at once.
func (l *loop) hello(c wire.Command, at time.Time, all bool) {
	do := func() {
		l.assert()
		l.answer(c, at, wire.OK, "")
	}
	if all {
		l.later(0, helloSpread, do)
		return
	}
	do()
}

// refuse publishes the result of what could not be understood.
func (l *loop) refuse(err error) {
	var r *wire.Refusal
	if !errors.As(err, &r) {
		r = &wire.Refusal{Code: wire.BadArgument, Text: err.Error()}
	}
	l.opts.Log.Debug("command refused", "cmd", r.Cmd, "code", string(r.Code))
	l.reply(wire.Result{Cmd: r.Cmd, ID: r.ID, Code: r.Code, Text: r.Text, TS: wire.At(time.Now())})
}

// ignoreRetained answers a command that the broker kept: it would be carried
// out again at every connect, and nobody waits for it.
func (l *loop) ignoreRetained(cmd, id string) {
	l.reply(wire.Result{
		Cmd: cmd, ID: id, Code: wire.RetainedIgnored, TS: wire.At(time.Now()),
		Text: "commands must not be retained: publish without the retain flag, and clear this one with an empty retained message",
	})
}
