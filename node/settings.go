package node

import (
	"slices"
	"strings"
	"time"

	"camqtt/internal/wire"
	"camqtt/node/camera"
)

// settings are what cam/<id>/set can change while the node runs.
type settings struct {
	fps          float64
	size         wire.Size
	quality      int
	flash        int // as in camera.Mode
	privacy      bool
	name         string
	previewEvery time.Duration
	keepWarm     time.Duration
	maxStream    time.Duration
	snapEvery    time.Duration
	retain       bool
}

func settingsOf(o Options) settings {
	return settings{
		fps: o.FPS, size: o.Size, quality: o.Quality, name: o.Name,
		previewEvery: o.PreviewEvery, keepWarm: o.KeepWarm, maxStream: o.MaxStream,
		snapEvery: o.SnapEvery, retain: !o.ForgetPictures,
	}
}

// set carries out a message on set or set/<key>: all of it or, when anything in
// it is wrong, nothing. While privacy is being written down others wait.
func (l *loop) set(x note, kind wire.Kind) {
	if len(x.msg.Payload) == 0 {
		return // a retained setting being cleared
	}
	if l.secrecy.writing != nil {
		l.hold(x)
		return
	}
	l.count.commands.Add(1)
	changes, id, err := parseSet(kind, x.msg.Payload)
	switch {
	case !l.outbox.room():
		l.flood.add("set", id)
		return
	case x.msg.Retained:
		l.ignoreRetained("set", "")
		return
	}
	if err != nil {
		l.refuse(err)
		return
	}
	w := &wish{changes: changes, id: id, at: x.at}
	for _, c := range changes {
		if text := l.cannot(c); text != "" {
			l.reply(w.result(wire.Unsupported, text))
			return
		}
	}
	if on, asked := w.privacy(); asked && l.opts.Keep != nil {
		l.remember(w, on)
		return
	}
	l.carryOut(w)
}

// wish is what one message wants to be set.
type wish struct {
	changes []wire.Change
	id      string
	at      time.Time // when it came
	silent  bool      // nobody is answered
}

func (w *wish) result(code wire.Code, text string) wire.Result {
	now := time.Now()
	return wire.Result{Cmd: "set", ID: w.id, OK: code == wire.OK, Code: code, Text: text, TS: wire.At(now), TookMS: since(w.at, now)}
}

// carryOut sets what a message wants, and answers.
func (l *loop) carryOut(w *wish) {
	var names []string
	informs := false
	for _, c := range w.changes {
		l.apply(c)
		names = append(names, string(c.Setting))
		informs = informs || c.Setting == wire.SetName || c.Setting == wire.SetFPS || c.Setting == wire.SetReset
	}
	l.kept.set(w.changes, l.settings.values())
	if informs { // once, when all are set
		l.outbox.add(item{msgs: []wire.Message{l.infoMessage()}, state: true})
	}
	l.opts.Log.Info("settings changed", "keys", strings.Join(names, " "))
	l.arrange(time.Now())
	l.stated.dirty = true
	if w.silent {
		return
	}
	result := w.result(wire.OK, strings.Join(names, " ")+" set"+l.secrecy.note(w))
	if !l.settings.privacy {
		l.reply(result)
		return
	}
	// The answer is a promise: the camera is closed, no picture follows.
	answer := func() {
		l.outbox.add(item{shot: &shot{results: []wire.Result{result}}, barrier: true})
	}
	if l.run == nil {
		answer()
		return
	}
	l.onClosed = append(l.onClosed, answer)
}

// parseSet reads what is to be changed, on set or set/<key>.
func parseSet(kind wire.Kind, payload []byte) (changes []wire.Change, id string, err error) {
	if key, one := strings.CutPrefix(string(kind), "set/"); one {
		c, err := wire.ParseSetKey(key, payload)
		return []wire.Change{c}, "", err
	}
	return wire.ParseSet(payload)
}

// cannot says why this camera cannot do what a setting asks, or "".
func (l *loop) cannot(c wire.Change) string {
	obeys := func(what string) bool { return slices.Contains(l.profile().Caps, what) }
	switch {
	case c.Setting == wire.SetMotion:
		return "this camera has no motion detection"
	case c.Setting == wire.SetSize && !obeys("size"):
		return "the size of this camera cannot be changed"
	case c.Setting == wire.SetQuality && !obeys("quality"):
		return "the quality of this camera cannot be changed"
	case c.Setting == wire.SetFlash && !obeys("flash"):
		return "this camera has no lamp that can be set, or none is known before its first picture"
	}
	return ""
}

func (l *loop) apply(c wire.Change) {
	s := &l.settings
	switch c.Setting {
	case wire.SetReset:
		l.reset()
	case wire.SetFPS:
		s.fps = c.FPS
	case wire.SetSize:
		s.size = c.Size
	case wire.SetQuality:
		s.quality = c.Quality
	case wire.SetFlash:
		if s.flash = c.Flash; s.flash == 0 {
			s.flash = camera.FlashOff
		}
	case wire.SetPrivacy:
		l.privacy(c.On)
		l.secrecy.said = c.On
	case wire.SetName:
		s.name = c.Name
	case wire.SetPreviewEvery:
		s.previewEvery = c.Duration
	case wire.SetKeepWarm:
		s.keepWarm, l.lingerEnd = c.Duration, time.Time{}
	case wire.SetMaxStream:
		s.maxStream = c.Duration
	case wire.SetSnapEvery:
		s.snapEvery = c.Duration
		l.schedule(time.Now())
	case wire.SetRetainPictures:
		s.retain = c.On
	}
}
