package node

import (
	"log/slog"
	"slices"
	"strings"
	"time"

	"camqtt/internal/wire"
)

// settingsHandler carries out the messages on set and set/<key>, in their order. While a
// change of privacy is being written to disk the others wait.
type settingsHandler struct {
	base       wire.Base
	log        *slog.Logger
	count      *counters
	settings   *settings
	configured settings
	privacy    *privacy
	kept       *keptSettings
	responder  *responder
	runner     *runner
	standby    func() bool // another node of this id answers
	changed    func()      // settings have changed

	held []note // messages that wait
}

// settingsRequest is what one message asks to be set.
type settingsRequest struct {
	changes []wire.Change
	id      string
	at      time.Time // when it came
	silent  bool      // it gets no result
}

func (r *settingsRequest) result(code wire.Code, text string) wire.Result {
	return resultOf(wire.Result{Cmd: "set", ID: r.id, Code: code, Text: text}, r.at)
}

// privacy reports what the request wants of privacy, if anything.
func (r *settingsRequest) privacy() (on, asked bool) {
	for _, c := range r.changes {
		if c.Setting == wire.SetPrivacy {
			on, asked = c.On, true
		}
	}
	return on, asked
}

// isSet reports whether a kind of topic is of settings.
func isSet(kind wire.Kind) bool {
	return kind == wire.KindSet || strings.HasPrefix(string(kind), "set/")
}

// parseSet reads what is to be changed, on set or set/<key>.
func parseSet(kind wire.Kind, payload []byte) (changes []wire.Change, id string, err error) {
	if key, one := strings.CutPrefix(string(kind), "set/"); one {
		c, err := wire.ParseSetKey(key, payload)
		return []wire.Change{c}, "", err
	}
	return wire.ParseSet(payload)
}

// handle carries out a message: all of it or, when anything in it is wrong, nothing.
func (h *settingsHandler) handle(x note, kind wire.Kind) {
	switch {
	case len(x.msg.Payload) == 0: // a retained setting is cleared
		return
	case h.privacy.writing != nil:
		h.hold(x)
		return
	case h.standby():
		h.follow(x, kind)
		return
	}
	h.count.commands.Add(1)
	changes, id, err := parseSet(kind, x.msg.Payload)
	if h.responder.ignore(x.msg, "set", id) {
		return
	}
	if err != nil {
		h.responder.refuse(err)
		return
	}
	r := &settingsRequest{changes: changes, id: id, at: x.at}
	for _, c := range changes {
		if row, _ := wire.RowOf(c.Setting); row.Needs != "" && !slices.Contains(h.runner.profile().Caps, row.Needs) {
			h.responder.reply(r.result(wire.Unsupported, row.Lacking))
			return
		}
	}
	h.begin(r)
}

// follow carries out a message on privacy while the node stands by, without a result: the
// node may have to step in.
func (h *settingsHandler) follow(x note, kind wire.Kind) {
	changes, _, err := parseSet(kind, x.msg.Payload)
	if err != nil || x.msg.Retained {
		return
	}
	r := &settingsRequest{changes: changes, at: x.at, silent: true}
	if on, asked := r.privacy(); asked {
		r.changes = []wire.Change{{Setting: wire.SetPrivacy, On: on}}
		h.begin(r)
	}
}

// begin carries out a request, at once or when a change of privacy is on disk.
func (h *settingsHandler) begin(r *settingsRequest) {
	if on, asked := r.privacy(); asked && h.privacy.store != nil {
		h.privacy.write(r, on)
		h.runner.run(time.Now())
		return
	}
	h.carryOut(r)
}

// written goes on when the disk has answered.
func (h *settingsHandler) written(err error) {
	r, refusal := h.privacy.finish(err)
	if refusal == nil {
		h.carryOut(r)
	} else if !r.silent {
		h.responder.reply(*refusal)
	}
	for len(h.held) > 0 && h.privacy.writing == nil {
		x := h.held[0]
		h.held = h.held[1:]
		_, kind, _ := h.base.Split(x.msg.Topic)
		h.handle(x, kind)
	}
}

func (h *settingsHandler) carryOut(r *settingsRequest) {
	var names []string
	for _, c := range r.changes {
		if c.Setting == wire.SetPrivacy {
			h.privacy.set(c.On)
		}
		h.settings.apply(c, h.configured, h.runner.profile().Caps)
		names = append(names, string(c.Setting))
	}
	h.kept.set(r.changes)
	h.changed()
	h.log.Info("settings changed", "keys", strings.Join(names, " "))
	h.runner.run(time.Now())
	if r.silent {
		return
	}
	on, _ := r.privacy()
	result := r.result(wire.OK, strings.Join(names, " ")+" set"+h.privacy.note(on))
	if !h.settings.private {
		h.responder.reply(result)
		return
	}
	// The result is a promise: the camera is closed, no picture follows.
	h.runner.whenClosed(func() {
		h.responder.outbox.add(delivery{snapshot: &snapshotMessage{results: []wire.Result{result}}, barrier: true})
	})
}

// hold has a message wait for the one before it.
func (h *settingsHandler) hold(x note) {
	if len(h.held) < maxHeldSettings {
		h.held = append(h.held, x)
		return
	}
	h.count.commands.Add(1)
	h.decline(x, wire.Busy, "too many settings wait for privacy to be written down: try again later")
}

// decline answers a message that is not carried out.
func (h *settingsHandler) decline(x note, code wire.Code, text string) {
	if h.standby() {
		return
	}
	_, kind, _ := h.base.Split(x.msg.Topic)
	_, id, _ := parseSet(kind, x.msg.Payload) // an id that cannot be read is none
	h.responder.reply((&settingsRequest{id: id, at: x.at}).result(code, text))
}

// stop answers, when the node stops, the requests that wait for the disk.
func (h *settingsHandler) stop() {
	const stopping = "the node is stopping"
	w := h.privacy.writing
	if w == nil {
		return
	}
	result := w.request.result(wire.NoCamera, stopping)
	select {
	case err := <-w.done:
		_, refusal := h.privacy.finish(err)
		if refusal != nil {
			result = *refusal
		} else {
			result = w.request.result(wire.OK, "privacy set"+h.privacy.note(w.on))
		}
	case <-time.After(goodbye):
	}
	if !w.request.silent {
		h.responder.reply(result)
	}
	for _, x := range h.held {
		h.decline(x, wire.NoCamera, stopping)
	}
}

// end waits for the disk. stop comes before.
func (h *settingsHandler) end() {
	if h.privacy.writing != nil {
		<-h.privacy.writing.done
	}
}
