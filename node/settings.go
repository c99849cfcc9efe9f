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
// it is wrong, nothing.
func (l *loop) set(x note, kind wire.Kind) {
	if len(x.msg.Payload) == 0 {
		return // a retained setting being cleared
	}
	l.count.commands.Add(1)
	if x.msg.Retained {
		l.ignoreRetained("set", "")
		return
	}
	changes, id, err := parseSet(kind, x.msg.Payload)
	if err != nil {
		l.refuse(err)
		return
	}
	result := wire.Result{Cmd: "set", ID: id, OK: true, Code: wire.OK, TS: wire.At(time.Now()), TookMS: since(x.at, time.Now())}
	for _, c := range changes {
		if text := l.cannot(c); text != "" {
			result.OK, result.Code, result.Text = false, wire.Unsupported, text
			l.reply(result)
			return
		}
	}
	var names []string
	informs := false
	for _, c := range changes {
		l.apply(c)
		names = append(names, string(c.Setting))
		informs = informs || c.Setting == wire.SetName || c.Setting == wire.SetFPS
	}
	if informs { // once, when all are set
		l.outbox.add(item{msgs: []wire.Message{l.infoMessage()}, state: true})
	}
	result.Text = strings.Join(names, " ") + " set"
	l.opts.Log.Info("settings changed", "keys", strings.Join(names, " "))
	l.arrange(time.Now())
	l.stated.dirty = true
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

// privacy closes the camera, forgets every picture that has not left yet and
// refuses those who wait; or lets it be opened again.
func (l *loop) privacy(on bool) {
	l.settings.privacy = on
	l.live.muted.Store(on)
	l.outbox.mute(on)
	if !on {
		return
	}
	clear(l.leases)
	l.refuseAll(wire.Privacy, "privacy was switched on")
	l.lastPic = nil
	l.closeRun()
}
