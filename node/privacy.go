package node

import (
	"time"

	"camqtt/internal/wire"
)

// Keep remembers beyond the life of a node whether its camera is private, and its settings.
type Keep interface {
	// Private returns what is remembered. An error says what to do about it, and
	// that the camera has to be taken for private.
	Private() (bool, error)
	// SetPrivate remembers. When it returns nil nothing but another call changes
	// that, power cuts included; otherwise the error says what to do.
	SetPrivate(on bool) error
	// Memory returns what SetMemory was given last, nil when nothing.
	Memory() ([]byte, error)
	// SetMemory remembers, for example settings. The error says what to do.
	SetMemory(b []byte) error
}

// secrecy is what the node knows of its memory for privacy.
type secrecy struct {
	said    bool   // privacy is on and, unless doubt says otherwise, written down: state may say so
	doubt   string // why a restart may end privacy, "" when it does not
	unknown string // why privacy is on although nobody is known to have asked for it

	writing *writing // what is being written down; nil: nothing
	held    []note   // settings that came meanwhile
}

// writing is a change of privacy on its way to the disk.
type writing struct {
	wish  *wish
	on    bool
	done  chan error
	begun time.Time
	slow  bool // people are told that it takes long
}

// slowDisk is when people are told that the disk has not answered.
const slowDisk = 5 * time.Second

// late is when that is; zero: not at all, or they have been told.
func (s *secrecy) late() time.Time {
	if s.writing == nil || s.writing.slow {
		return time.Time{}
	}
	return s.writing.begun.Add(slowDisk)
}

// watchDisk tells people when it is.
func (l *loop) watchDisk(now time.Time) {
	if late := l.secrecy.late(); !late.IsZero() && !now.Before(late) {
		l.secrecy.writing.slow, l.stated.dirty = true, true
		l.opts.Log.Warn("the disk has not answered", "why", "privacy is to be written down")
	}
}

// written is nil, which blocks for ever, when nothing is being written.
func (s *secrecy) written() <-chan error {
	if s.writing == nil {
		return nil
	}
	return s.writing.done
}

// privacy reports what a message wants of privacy, if anything.
func (w *wish) privacy() (on, asked bool) {
	for _, c := range w.changes {
		if c.Setting == wire.SetPrivacy {
			on, asked = c.On, true
		}
	}
	return on, asked
}

// note is what the result of a message has to say of privacy.
func (s *secrecy) note(w *wish) string {
	if on, _ := w.privacy(); on && s.doubt != "" {
		return "; but " + s.doubt
	}
	return ""
}

// recall takes up, before anything else, what an earlier run of this node was told.
func (l *loop) recall() {
	if l.opts.Keep == nil {
		return
	}
	on, err := l.opts.Keep.Private()
	if err != nil {
		on, l.secrecy.unknown = true, err.Error()
		l.opts.Log.Error("privacy is on", "err", err)
	} else if on {
		l.opts.Log.Info("privacy is on", "why", "it was before this start")
	}
	if on {
		l.privacy(true)
		l.secrecy.said = true
	}
}

// remember has privacy written down: before anybody is told that it is on, but in
// force at once, and before it is off.
func (l *loop) remember(w *wish, on bool) {
	now := time.Now()
	if on {
		l.privacy(true)
		l.arrange(now)
	}
	wr := &writing{wish: w, on: on, done: make(chan error, 1), begun: now}
	l.secrecy.writing = wr
	keep := l.opts.Keep
	go func() { wr.done <- keep.SetPrivate(on) }() // ends when the disk has answered; written or endKeep waits
}

// remembered goes on with a change of privacy when the disk has answered.
func (l *loop) remembered(err error) {
	wr := l.secrecy.writing
	l.secrecy.writing = nil
	l.stated.dirty = true
	if result, ok := l.verdict(wr, err); ok {
		l.carryOut(wr.wish)
	} else if !wr.wish.silent {
		l.reply(result)
	}
	for len(l.secrecy.held) > 0 && l.secrecy.writing == nil {
		x := l.secrecy.held[0]
		l.secrecy.held = l.secrecy.held[1:]
		l.receive(x)
	}
}

// verdict notes what became of a change of privacy. Where it cannot be carried out it
// returns the result that says so.
func (l *loop) verdict(wr *writing, err error) (refusal wire.Result, ok bool) {
	s := &l.secrecy
	switch {
	case err == nil:
		s.doubt, s.unknown = "", ""
	case wr.on:
		s.doubt = "privacy will not survive a restart: " + err.Error()
		l.opts.Log.Error("privacy will not survive a restart", "err", err)
	default:
		l.opts.Log.Error("privacy stays on", "err", err)
		return wr.wish.result(wire.Privacy, "privacy stays on: "+err.Error()), false
	}
	return wire.Result{}, true
}

// hold keeps a setting until the one before it is carried out: they have an order.
func (l *loop) hold(x note) {
	if len(l.secrecy.held) < maxHeldSettings {
		l.secrecy.held = append(l.secrecy.held, x)
		return
	}
	l.count.commands.Add(1)
	l.decline(x, wire.Busy, "too many settings wait for privacy to be written down: try again later")
}

// decline answers a setting that is not carried out.
func (l *loop) decline(x note, code wire.Code, text string) {
	if l.presence.standby || len(x.msg.Payload) == 0 {
		return
	}
	_, kind, _ := l.opts.Base.Split(x.msg.Topic)
	_, id, _ := parseSet(kind, x.msg.Payload) // an id that cannot be read is none
	l.reply((&wish{id: id, at: x.at}).result(code, text))
}

// follow does in silence what the node that serves is told of privacy: this one may
// have to step in.
func (l *loop) follow(x note, kind wire.Kind) {
	if l.secrecy.writing != nil {
		l.hold(x)
		return
	}
	changes, _, err := parseSet(kind, x.msg.Payload)
	if err != nil || x.msg.Retained {
		return
	}
	w := &wish{changes: changes, at: x.at, silent: true}
	on, asked := w.privacy()
	if !asked {
		return
	}
	w.changes = []wire.Change{{Setting: wire.SetPrivacy, On: on}}
	if l.opts.Keep != nil {
		l.remember(w, on)
		return
	}
	l.carryOut(w)
}

// unwritten answers, when the node stops, who waits for the disk.
func (l *loop) unwritten() {
	const stopping = "the node is stopping"
	wr := l.secrecy.writing
	if wr == nil {
		return
	}
	result := wr.wish.result(wire.NoCamera, stopping)
	select {
	case err := <-wr.done:
		wr.done <- err // for who waits for the end of it
		if refusal, ok := l.verdict(wr, err); !ok {
			result = refusal
		} else {
			result = wr.wish.result(wire.OK, "privacy set"+l.secrecy.note(wr.wish))
		}
	case <-time.After(goodbye):
	}
	if !wr.wish.silent {
		l.reply(result)
	}
	for _, x := range l.secrecy.held {
		l.decline(x, wire.NoCamera, stopping)
	}
}

// endKeep waits for the disk.
func (l *loop) endKeep() {
	if l.secrecy.writing != nil {
		<-l.secrecy.writing.done
	}
}

// privacy closes the camera, forgets every picture that has not left yet and
// refuses those who wait; or lets it be opened again.
func (l *loop) privacy(on bool) {
	l.settings.privacy = on
	l.live.muted.Store(on)
	l.outbox.mute(on)
	if !on {
		l.first.plan(time.Now())
		return
	}
	l.first.again()
	clear(l.leases)
	l.refuseAll(wire.Privacy, "privacy was switched on")
	l.lastPic = nil
	l.closeRun()
	if l.presence.online && !l.presence.standby {
		l.outbox.add(item{msgs: l.noPictures(), state: true, barrier: true})
	}
}

// noPictures clears the pictures that the broker keeps. topics.md: an empty payload means
// that there is no picture. The last is of QoS 1: its acknowledgement speaks for all.
func (n *Node) noPictures() []wire.Message {
	var msgs []wire.Message
	for _, k := range []wire.Kind{wire.KindPreview, wire.KindSnapshot, wire.KindMeta} {
		m := n.message(k, nil)
		m.Retained = true
		msgs = append(msgs, m)
	}
	return msgs
}

// private reports whether it may be said that privacy is on. topics.md: when the camera
// has been closed.
func (l *loop) private() bool {
	return l.settings.privacy && l.secrecy.said && l.run == nil
}

// caution is what people must be told of privacy, "" when nothing.
func (l *loop) caution() string {
	s := &l.secrecy
	switch {
	case s.writing != nil && s.writing.slow && s.writing.on:
		return "privacy is in force, but the disk has not answered yet: whether it survives a restart is not known"
	case s.writing != nil && s.writing.slow:
		return "privacy stays on until the disk has answered"
	case l.settings.privacy:
		return s.doubt
	}
	return ""
}
