package rpicam

import (
	"bytes"
	"context"
	"testing"
	"time"

	"camqtt/internal/testkit/cameratest"
	"camqtt/node/camera"
)

// A prompt is a picture, however long the program takes to be ready: a signal
// that comes too early would kill it.
func TestRpicamStills(t *testing.T) {
	for _, source := range []string{"rpicam:?stills&settle=0s", "rpicam:?stills&settle=0s&zsl"} {
		c := cameratest.NewCSI(t, "rpicam-vid", "rpicam-still")
		t.Setenv("CSI_START", "300")
		cameratest.Leaks(t)
		s := open(t, source, camera.Options{})
		if p := s.Profile(); !p.Prompted || p.MaxFPS != stillsFPS || p.Instant {
			t.Errorf("profile %+v", p)
		}
		ctx, cancel := context.WithCancel(t.Context())
		prompt, frames, ended := make(chan struct{}, 1), make(chan camera.Frame, 9), make(chan error, 1)
		go func() { // ends when ctx is done; it is waited for below
			ended <- s.Stream(ctx, camera.Mode{Prompt: prompt}, func(f camera.Frame) { frames <- f })
		}()
		for i := range 3 {
			asked := time.Now()
			prompt <- struct{}{}
			select {
			case f := <-frames:
				if !bytes.Equal(f.JPEG, cameratest.Read(t, c.Picture)) || f.At.Before(asked) || f.At.After(time.Now()) {
					t.Errorf("picture %d: %d bytes, %v after it was asked for", i, len(f.JPEG), f.At.Sub(asked))
				}
			case err := <-ended:
				t.Fatalf("Stream = %v", err)
			}
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if n := c.Has("usr1"); n != 3 || len(frames) != 0 {
			t.Errorf("three prompts made %d pictures, and %d were left over", n, len(frames))
		}
		if cameratest.Alive(c.Pid()) {
			t.Error("the program lives")
		}
	}
}

// At a rate the next picture is asked for only when the last has come.
func TestRpicamStillsAtRate(t *testing.T) {
	c := cameratest.NewCSI(t, "rpicam-still")
	s := open(t, "rpicam:?stills&settle=0s", camera.Options{})
	cameratest.Take(t, s, camera.Mode{FPS: 100}, 5)
	if n := c.Has("usr1"); n < 5 || n > 6 {
		t.Errorf("%d were asked for until five had come", n)
	}
	t.Setenv("CSI_FRAMES", "0") // takes none any more
	before := c.Has("usr1")
	var asked time.Time
	if err := cameratest.StopAfter(t, s, func(int) bool {
		if asked.IsZero() && c.Has("usr1") > before {
			asked = time.Now()
		}
		return !asked.IsZero() && time.Since(asked) > 200*time.Millisecond
	}); err != nil {
		t.Error(err)
	}
	if n := c.Has("usr1") - before; n != 1 {
		t.Errorf("%d were asked for while none came", n)
	}
}
