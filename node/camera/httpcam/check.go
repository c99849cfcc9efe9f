package httpcam

import (
	"camqtt/node/camera"
	"camqtt/node/camera/httpcam/board"
)

// NeedsFullCheck reports whether all data of the pictures is to be read: those of boards, whose
// radio loses some of it, and single ones, where it costs little.
func (s *httpSource) NeedsFullCheck(m camera.Mode) bool {
	if m.Still || m.FPS > 0 && m.FPS <= slowest {
		return true
	}
	kind := board.Generic
	s.know(func(f *facts) { kind = board.Of(f.kind).Kind })
	return kind != board.Generic
}
