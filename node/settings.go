package node

import (
	"slices"
	"strconv"
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
	private      bool
	name         string
	previewEvery time.Duration
	keepWarm     time.Duration
	maxStream    time.Duration
	snapEvery    time.Duration
	retain       bool
}

// configured returns the settings of the configuration.
func configured(o Options) settings {
	return settings{
		fps: o.FPS, size: o.Size, quality: o.Quality, name: o.Name,
		previewEvery: o.PreviewEvery, keepWarm: o.KeepWarm, maxStream: o.MaxStream,
		snapEvery: o.SnapEvery, retain: !o.ForgetPictures,
	}
}

// settingRow says how a setting is kept in settings.
type settingRow struct {
	set  func(s *settings, c wire.Change)
	text func(s *settings) string // as it is sent
}

// settingRows has a row for each setting that survives a restart as text. Privacy is kept by
// itself, and reset is no value.
func settingRows() map[wire.Setting]settingRow {
	duration := func(of func(*settings) *time.Duration) settingRow {
		return settingRow{
			set:  func(s *settings, c wire.Change) { *of(s) = c.Duration },
			text: func(s *settings) string { return of(s).String() },
		}
	}
	return map[wire.Setting]settingRow{
		wire.SetFPS: {
			set:  func(s *settings, c wire.Change) { s.fps = c.FPS },
			text: func(s *settings) string { return strconv.FormatFloat(s.fps, 'g', -1, 64) },
		},
		wire.SetSize: {
			set:  func(s *settings, c wire.Change) { s.size = c.Size },
			text: func(s *settings) string { return s.size.String() },
		},
		wire.SetQuality: {
			set:  func(s *settings, c wire.Change) { s.quality = c.Quality },
			text: func(s *settings) string { return textUnless(s.quality <= 0, s.quality) },
		},
		wire.SetFlash: {
			set: func(s *settings, c wire.Change) {
				if s.flash = c.Flash; s.flash == 0 {
					s.flash = camera.FlashOff
				}
			},
			text: func(s *settings) string { return textUnless(s.flash == 0, max(s.flash, 0)) },
		},
		wire.SetName: {
			set:  func(s *settings, c wire.Change) { s.name = c.Name },
			text: func(s *settings) string { return s.name },
		},
		wire.SetPreviewEvery: duration(func(s *settings) *time.Duration { return &s.previewEvery }),
		wire.SetKeepWarm:     duration(func(s *settings) *time.Duration { return &s.keepWarm }),
		wire.SetMaxStream:    duration(func(s *settings) *time.Duration { return &s.maxStream }),
		wire.SetSnapEvery:    duration(func(s *settings) *time.Duration { return &s.snapEvery }),
		wire.SetRetainPictures: {
			set:  func(s *settings, c wire.Change) { s.retain = c.On },
			text: func(s *settings) string { return strconv.FormatBool(s.retain) },
		},
	}
}

func textUnless(unset bool, n int) string {
	if unset {
		return ""
	}
	return strconv.Itoa(n)
}

// texts writes settings as they are sent.
func (s *settings) texts() map[wire.Setting]string {
	all := map[wire.Setting]string{}
	for name, row := range settingRows() {
		all[name] = row.text(s)
	}
	return all
}

// apply makes a change, other than of privacy. caps are the camera's.
func (s *settings) apply(c wire.Change, configured settings, caps []string) {
	if row, ok := settingRows()[c.Setting]; ok {
		row.set(s, c)
		return
	}
	if c.Setting == wire.SetReset {
		private := s.private
		*s = configured
		s.private = private
		if s.flash == 0 && slices.Contains(caps, camera.CapFlash) {
			s.flash = camera.FlashOff
		}
	}
}
