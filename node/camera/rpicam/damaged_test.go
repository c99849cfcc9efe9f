package rpicam

import (
	"context"
	"testing"
	"time"

	"camqtt/internal/testkit/cameratest"
	"camqtt/node/camera"
)

// A still that is damaged is taken again, a few times, and none after a whole one.
func TestRpicamStillAgain(t *testing.T) {
	for halves, want := range map[string]struct {
		signals int
		err     camera.Code
	}{"1": {2, ""}, "1000": {camera.MaxBroken, camera.Stalled}} {
		c := cameratest.NewCSI(t, "rpicam-still")
		t.Setenv("CSI_HALVES", halves)
		s := open(t, "rpicam:?stills&settle=0s", camera.Options{Check: camera.CheckFull})
		prompt, got := make(chan struct{}, 1), 0
		prompt <- struct{}{}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		err := s.Stream(ctx, camera.Mode{Prompt: prompt}, func(camera.Frame) {
			got++
			cancel()
		})
		cancel()
		if n := c.Has("usr1"); n != want.signals || (want.err == "") != (err == nil && got == 1) || err != nil && camera.CodeOf(err) != want.err {
			t.Errorf("%s halves: %d pictures after %d signals, %v; want %+v", halves, got, n, err, want)
		}
	}
}
