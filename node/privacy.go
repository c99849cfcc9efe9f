package node

import (
	"log/slog"
	"time"

	"camqtt/internal/wire"
)

// Store keeps what survives a restart of a node: whether its camera is private, and its
// settings. Package privacystore keeps it on disk.
type Store interface {
	// Private returns what is kept. An error says what to do about it, and means that
	// the camera has to be taken for private.
	Private() (bool, error)
	// SetPrivate keeps it. When it returns nil, only another call changes that, also after
	// power cuts; otherwise the error says what to do.
	SetPrivate(on bool) error
	// Settings returns what SetSettings was given last, nil when nothing.
	Settings() ([]byte, error)
	// SetSettings keeps settings. The error says what to do.
	SetSettings(b []byte) error
}

// privacy is whether the camera is private. On is in force at once, and on disk before its
// result says so; off is on disk before it is in force. In doubt it is on.
type privacy struct {
	settings *settings
	store    Store // nil: a restart ends privacy
	log      *slog.Logger
	enforce  func(on bool) // closes the camera and drops its pictures
	changed  func()

	confirmed bool   // on, and on disk unless doubt says otherwise: state may say so
	doubt     string // why a restart may end privacy, "" when it does not
	unknown   string // why privacy is on although nothing is known to have switched it on
	writing   *privacyWrite
}

// privacyWrite is a change of privacy on its way to the disk.
type privacyWrite struct {
	request *settingsRequest
	on      bool
	done    chan error
	begun   time.Time
	slow    bool // the disk has not answered, and state says so
}

// slowDisk is when state says that the disk has not answered.
const slowDisk = 5 * time.Second

// recall takes up, before anything else, what an earlier run of this node was told.
func (p *privacy) recall() {
	if p.store == nil {
		return
	}
	on, err := p.store.Private()
	if err != nil {
		on, p.unknown = true, err.Error()
		p.log.Error("privacy is on", "err", err)
	} else if on {
		p.log.Info("privacy is on", "why", "it was before this start")
	}
	if on {
		p.set(true)
	}
}

// set puts a change into force that needs no writing, or is written.
func (p *privacy) set(on bool) {
	p.force(on)
	p.confirmed = on
}

func (p *privacy) force(on bool) {
	if p.settings.private != on || !on {
		p.settings.private = on
		p.enforce(on)
	}
}

// write has a change written to disk. written brings the answer.
func (p *privacy) write(r *settingsRequest, on bool) {
	if on {
		p.force(true)
	}
	w := &privacyWrite{request: r, on: on, done: make(chan error, 1), begun: time.Now()}
	p.writing = w
	store := p.store
	go func() { w.done <- store.SetPrivate(on) }() // ends when the disk has answered; the loop or end waits
}

// written is nil, which blocks for ever, when nothing is being written.
func (p *privacy) written() <-chan error {
	if p.writing == nil {
		return nil
	}
	return p.writing.done
}

// finish notes the disk's answer and returns the request that it is for. refusal is nil
// when the request can be carried out.
func (p *privacy) finish(err error) (r *settingsRequest, refusal *wire.Result) {
	w := p.writing
	p.writing = nil
	p.changed()
	switch {
	case err == nil:
		p.doubt, p.unknown = "", ""
	case w.on:
		p.doubt = "privacy will not survive a restart: " + err.Error()
		p.log.Error("privacy will not survive a restart", "err", err)
	default:
		p.log.Error("privacy stays on", "err", err)
		result := w.request.result(wire.Privacy, "privacy stays on: "+err.Error())
		return w.request, &result
	}
	return w.request, nil
}

// note is what the result of a change has to say.
func (p *privacy) note(on bool) string {
	if on && p.doubt != "" {
		return "; but " + p.doubt
	}
	return ""
}

// next is when state has to say that the disk does not answer.
func (p *privacy) next() time.Time {
	if p.writing == nil || p.writing.slow {
		return time.Time{}
	}
	return p.writing.begun.Add(slowDisk)
}

// run has state say so.
func (p *privacy) run(now time.Time) {
	if due(p.next(), now) {
		p.writing.slow = true
		p.changed()
		p.log.Warn("the disk has not answered", "why", "privacy is to be written down")
	}
}

// warning is what state says while privacy works, "" for nothing.
func (p *privacy) warning() string {
	switch {
	case p.writing != nil && p.writing.slow && p.writing.on:
		return "privacy is in force, but the disk has not answered yet: whether it survives a restart is not known"
	case p.writing != nil && p.writing.slow:
		return "privacy stays on until the disk has answered"
	case p.settings.private:
		return p.doubt
	}
	return ""
}

// problem is what state says as an error; nil: nothing.
func (p *privacy) problem() *wire.Problem {
	if p.unknown == "" || !p.settings.private {
		return nil
	}
	return &wire.Problem{Code: wire.Config, Text: p.unknown}
}
