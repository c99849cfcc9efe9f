package node

import (
	"errors"
	"log/slog"
	"time"

	"camqtt/internal/wire"
)

// responder publishes results, one for each command, and events.
type responder struct {
	outbox  *outbox
	flood   *flood
	standby func() bool // another node answers
	log     *slog.Logger
}

func (r *responder) reply(result wire.Result) {
	r.outbox.add(delivery{snapshot: &snapshotMessage{results: []wire.Result{result}}})
}

func (r *responder) event(e wire.Event) {
	r.outbox.add(delivery{snapshot: &snapshotMessage{event: &e}})
}

// answer publishes the result of a command.
func (r *responder) answer(c wire.Command, at time.Time, code wire.Code, text string) {
	r.reply(resultOf(wire.Result{Cmd: string(c.Verb), ID: c.ID, Code: code, Text: text}, at))
}

// resultOf fills in what follows from the code and the time a command came.
func resultOf(r wire.Result, at time.Time) wire.Result {
	now := time.Now()
	r.OK, r.TS, r.TookMS = r.Code == wire.OK, wire.At(now), since(at, now)
	return r
}

// answerRequest publishes the result of a request without a picture.
func (r *responder) answerRequest(q request, code wire.Code, text string) {
	if !q.answered() {
		r.log.Warn("no snapshot", "cause", q.cause, "code", string(code), "err", text)
		return
	}
	r.answer(q.cmd, q.at, code, text)
}

// refuse publishes the result of what could not be understood.
func (r *responder) refuse(err error) {
	var f *wire.Refusal
	if !errors.As(err, &f) {
		f = &wire.Refusal{Code: wire.BadArgument, Text: err.Error()}
	}
	r.log.Debug("command refused", "cmd", f.Cmd, "code", string(f.Code))
	r.reply(wire.Result{Cmd: f.Cmd, ID: f.ID, Code: f.Code, Text: f.Text, TS: wire.At(time.Now())})
}

// ignore answers a message that must not be executed, because too many results wait or
// because the broker kept it. A kept command would be executed again at every connect.
func (r *responder) ignore(m wire.Message, cmd, id string) (ignored bool) {
	switch {
	case !r.outbox.room():
		r.flood.add(cmd, id)
	case m.Retained:
		r.reply(wire.Result{
			Cmd: cmd, ID: id, Code: wire.RetainedIgnored, TS: wire.At(time.Now()),
			Text: "commands must not be retained: publish without the retain flag, and clear this one with an empty retained message",
		})
	default:
		return false
	}
	return true
}

// floodAgain is how long answers wait at least while there is no room for them.
const floodAgain = 100 * time.Millisecond

// next is when to look for room for the answers to a flood of commands.
func (r *responder) next() time.Time {
	if r.flood.empty() {
		return time.Time{}
	}
	return time.Now().Add(floodAgain)
}

// run answers commands that came faster than they could be answered.
func (r *responder) run(now time.Time) {
	for r.outbox.room() && !r.flood.empty() {
		for _, result := range r.flood.take(together) {
			if result.TS = wire.At(now); !r.standby() {
				r.reply(result)
			}
		}
	}
}
