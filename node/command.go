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
	case kind == wire.KindStats:
		l.sawStats(m)
	case kind == wire.KindInfo:
		l.sawInfo(m)
	case kind == wire.KindCmd:
		l.command(x, false)
	case !isSet(kind):
	case l.presence.standby: // the other node of this id answers
		l.follow(x, kind)
	default:
		l.set(x, kind)
	}
}

// isSet reports whether a kind of topic is of settings.
func isSet(kind wire.Kind) bool {
	return kind == wire.KindSet || strings.HasPrefix(string(kind), "set/")
}

// command carries out one message on cmd. An empty payload is no command: it is
// how a retained message is cleared.
func (l *loop) command(x note, all bool) {
	if len(x.msg.Payload) == 0 || l.presence.standby {
		return
	}
	l.count.commands.Add(1)
	c, err := wire.ParseCommand(x.msg.Payload, x.at)
	switch {
	case !l.outbox.room():
		l.flood.add(string(c.Verb), c.ID)
		return
	case x.msg.Retained:
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
