package httpcam

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"camqtt/internal/jpeg"
	"camqtt/internal/testkit/cameratest"
	"camqtt/node/camera"
	"camqtt/node/camera/httpcam/board"
)

// sizeOf is that of a picture.
func sizeOf(t *testing.T, jpg []byte) camera.Size {
	t.Helper()
	in, err := jpeg.Scan(jpg)
	if err != nil {
		t.Fatal(err)
	}
	return camera.Size{Width: in.Width, Height: in.Height}
}

// Sizes are found whatever their numbers mean in the board's release, and none
// of another size is handed out once one was asked for.
func TestBoardSizes(t *testing.T) {
	layouts := map[string][]board.Size{
		"2019":    {{Width: 160, Height: 120}, {Width: 128, Height: 160}, {Width: 176, Height: 144}, {Width: 240, Height: 176}, {Width: 320, Height: 240}, {Width: 400, Height: 296}},
		"2021":    {{Width: 96, Height: 96}, {Width: 160, Height: 120}, {Width: 176, Height: 144}, {Width: 240, Height: 176}, {Width: 240, Height: 240}, {Width: 320, Height: 240}, {Width: 400, Height: 296}},
		"2024":    {{Width: 96, Height: 96}, {Width: 160, Height: 120}, {Width: 128, Height: 128}, {Width: 176, Height: 144}, {Width: 240, Height: 176}, {Width: 240, Height: 240}, {Width: 320, Height: 240}},
		"unheard": {{Width: 32, Height: 32}, {Width: 64, Height: 48}, {Width: 80, Height: 60}, {Width: 96, Height: 96}, {Width: 160, Height: 120}, {Width: 200, Height: 120}, {Width: 320, Height: 240}},
	}
	for name, layout := range layouts {
		t.Run(name, func(t *testing.T) {
			last := len(layout) - 1
			withESP(t, board.CameraWebServer, func(b *espBoard) { b.layout, b.size, b.most = layout, last, last }, func(t *testing.T, b *espBoard) {
				s := b.open("http://esp32/")
				for _, still := range []bool{true, false, true} {
					for _, want := range []camera.Size{{Width: 160, Height: 120}, {Width: 320, Height: 240}} {
						for i, f := range cameratest.Take(t, s, camera.Mode{Width: want.Width, Height: want.Height, FPS: 10, Still: still}, 3) {
							if got := sizeOf(t, f.JPEG); got != want {
								t.Errorf("picture %d is %s, want %s; warning %q", i, got, want, s.Profile().Warning)
							}
						}
					}
				}
				b.log()
				cameratest.Take(t, s, camera.Mode{Width: 320, Height: 240, FPS: 10, Still: true}, 1)
				if l := b.log(); slices.ContainsFunc(l, func(l string) bool { return strings.Contains(l, "control") }) {
					t.Errorf("set again though nothing has changed: %q", l)
				}
				if p := s.Profile(); !slices.Contains(p.Sizes, camera.Size{Width: 160, Height: 120}) || p.Warning != "" {
					t.Errorf("sizes %v, warning %q", p.Sizes, p.Warning)
				}
				f := cameratest.Take(t, s, camera.Mode{FPS: 10, Still: true}, 1)[0]
				if got := sizeOf(t, f.JPEG); got != camera.Size(layout[last]) {
					t.Errorf("%s when none is asked for, want the board's own %v", got, layout[last])
				}
				synctest.Wait()
			})
		})
	}
}

// What the board does not take is said, and it keeps what it does.
func TestBoardRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*espBoard)
		mode   camera.Mode
		text   string
	}{
		"size beyond the sensor":  {func(b *espBoard) { b.size, b.most = 1, 3 }, camera.Mode{Width: 320, Height: 240}, "it does not give pictures of 320x240: it keeps 160x120"},
		"size beyond its buffers": {func(b *espBoard) { b.size, b.memory = 1, 30000 }, camera.Mode{Width: 320, Height: 240}, "it does not give pictures of 320x240: it keeps 160x120"},
		"sensor without JPEG":     {func(b *espBoard) { b.size, b.rgb = 1, true }, camera.Mode{Width: 320, Height: 240}, "it does not give pictures of 320x240: it keeps 160x120"},
	} {
		t.Run(name, func(t *testing.T) {
			withESP(t, board.CameraWebServer, tt.change, func(t *testing.T, b *espBoard) {
				s := b.open("http://esp32/")
				m := tt.mode
				m.FPS, m.Still = 10, true
				f := cameratest.Take(t, s, m, 1)[0]
				if w := s.Profile().Warning; w != tt.text {
					t.Errorf("warning %q, want %q", w, tt.text)
				}
				if got := sizeOf(t, f.JPEG); got != (camera.Size{Width: 160, Height: 120}) {
					t.Errorf("picture of %s", got)
				}
				synctest.Wait()
			})
		})
	}
}

// Quality and lamp are set, read back and, for quality, given back.
func TestBoardQualityAndFlash(t *testing.T) {
	for _, kind := range []board.Kind{board.CameraWebServer, board.Easytarget} {
		t.Run(string(kind), func(t *testing.T) {
			withESP(t, kind, nil, func(t *testing.T, b *espBoard) {
				s := b.open("http://esp32/")
				full := map[board.Kind]int{board.CameraWebServer: 255, board.Easytarget: 100}[kind]
				for _, step := range []struct {
					mode                 camera.Mode
					quality, light, auto int
				}{
					{camera.Mode{}, 12, 0, 0},
					{camera.Mode{Quality: 100}, 4, 0, 0},
					{camera.Mode{Quality: 1, Flash: 100}, 63, full, 1},
					{camera.Mode{Flash: 20}, 12, full / 5, 1},
					{camera.Mode{Flash: camera.FlashOff}, 12, 0, 1},
				} {
					step.mode.FPS, step.mode.Still = 10, true
					cameratest.Take(t, s, step.mode, 1)
					if kind == board.CameraWebServer {
						step.auto = 0
					}
					b.set(func() {
						if b.quality != step.quality || b.light != step.light || b.auto != step.auto {
							t.Errorf("%+v: quality %d, light %d, auto %d, want %d, %d, %d", step.mode, b.quality, b.light, b.auto, step.quality, step.light, step.auto)
						}
					})
					if w := s.Profile().Warning; w != "" {
						t.Errorf("%+v: warning %q", step.mode, w)
					}
				}
				synctest.Wait()
			})
		})
	}
}
