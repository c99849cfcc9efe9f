package camera_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"camqtt/internal/testkit/cameratest"
	"camqtt/internal/testkit/faketime"
	"camqtt/node/camera"
)

// asking is a source that takes a picture when it is asked.
type asking struct {
	cameratest.Film
	taken int
}

func (a *asking) Stream(ctx context.Context, m camera.Mode, emit func(camera.Frame)) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-m.Prompt:
		case <-m.Retake:
		}
		time.Sleep(a.Every)
		if ctx.Err() == nil {
			emit(a.Frame(a.taken))
			a.taken++
		}
	}
}

// TestFrameValidatorAsksAgain: a picture that was asked for and is not whole is asked for again
// at once, a few times; then the camera is called stalled, and nothing waits for seconds.
func TestFrameValidatorAsksAgain(t *testing.T) {
	good, bad := cameratest.Drawn(t, 1), cameratest.Half(cameratest.Drawn(t, 1))
	for name, x := range map[string]struct {
		broken int // pictures before the first whole one
		takes  int
		err    camera.Code
	}{
		"whole":         {0, 1, ""},
		"one half":      {1, 2, ""},
		"four halves":   {4, 5, ""},
		"nothing whole": {1000, 5, camera.Stalled},
	} {
		faketime.Run(t, func(t *testing.T) {
			a := &asking{Film: cameratest.Film{Every: 300 * time.Millisecond, Frame: func(n int) camera.Frame {
				if n < x.broken {
					return camera.Frame{JPEG: bad}
				}
				return camera.Frame{JPEG: good}
			}}}
			ctx, cancel := context.WithTimeout(t.Context(), 4900*time.Millisecond)
			defer cancel()
			prompt, got, start := make(chan struct{}, 1), 0, time.Now()
			prompt <- struct{}{}
			var took time.Duration
			err := camera.NewFrameValidator(a, camera.Options{Check: camera.CheckFull, Log: cameratest.Quiet()}).Stream(ctx, camera.Mode{Prompt: prompt}, func(camera.Frame) {
				got++
				took = time.Since(start)
			})
			if err != nil {
				took = time.Since(start)
			}
			if want := time.Duration(x.takes) * a.Every; a.taken != x.takes || took != want {
				t.Errorf("%s: %d pictures were taken and it took %v, want %d and %v", name, a.taken, took, x.takes, want)
			}
			if x.err == "" && (err != nil || got != 1) || x.err != "" && (camera.CodeOf(err) != x.err || !strings.Contains(err.Error(), "5 in 1.2s")) {
				t.Errorf("%s: %d whole pictures, %v", name, got, err)
			}
		})
	}
}
