package node

import (
	"maps"
	"slices"
	"strings"
	"time"

	"camqtt/internal/wire"
	"camqtt/node/camera"
)

// settings are what cam/<id>/set can change while the node runs.
type settings struct {
	private bool
	values  map[wire.Setting]wire.Change // those that a node keeps; one that is missing was never set
}

// configured returns the settings of the configuration.
func configured(o Options) settings {
	s := settings{values: map[wire.Setting]wire.Change{}}
	for _, row := range wire.SettingRows() {
		if c, err := wire.ParseChange(string(row.Setting), strings.Trim(row.Default, `"`)); err == nil && row.Kept {
			s.values[row.Setting] = c
		}
	}
	given := append(slices.Clone(o.Settings), wire.Change{Setting: wire.SetName, Text: o.Name})
	if o.FPS > 0 {
		given = append(given, wire.Change{Setting: wire.SetFPS, Number: o.FPS})
	}
	if o.Quality > 0 {
		given = append(given, wire.Change{Setting: wire.SetQuality, Number: float64(o.Quality)})
	}
	if o.Size != (wire.Size{}) {
		given = append(given, wire.Change{Setting: wire.SetSize, Size: o.Size})
	}
	for _, c := range given {
		s.values[c.Setting] = c
	}
	return s
}

func (s *settings) number(name wire.Setting) float64         { return s.values[name].Number }
func (s *settings) duration(name wire.Setting) time.Duration { return s.values[name].Duration }
func (s *settings) on(name wire.Setting) bool                { return s.values[name].On }
func (s *settings) size() wire.Size                          { return s.values[wire.SetSize].Size }
func (s *settings) name() string                             { return s.values[wire.SetName].Text }
func (s *settings) quality() int                             { return int(s.number(wire.SetQuality)) }

// flash is as in camera.Mode.
func (s *settings) flash() int {
	c, set := s.values[wire.SetFlash]
	if set && c.Number == 0 {
		return camera.FlashOff
	}
	return int(c.Number)
}

// text is a value as it is sent, "" when it was never set.
func (s *settings) text(name wire.Setting) string {
	if c, set := s.values[name]; set {
		return c.Value()
	}
	return ""
}

// apply makes a change, other than of privacy. caps are the camera's.
func (s *settings) apply(c wire.Change, configured settings, caps []string) {
	if row, _ := wire.RowOf(c.Setting); row.Kept {
		s.values[c.Setting] = c
		return
	}
	if c.Setting == wire.SetReset {
		s.values = maps.Clone(configured.values)
		if _, set := s.values[wire.SetFlash]; !set && slices.Contains(caps, camera.CapFlash) {
			s.values[wire.SetFlash] = wire.Change{Setting: wire.SetFlash} // off
		}
	}
}
