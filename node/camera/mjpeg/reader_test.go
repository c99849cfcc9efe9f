package mjpeg

import (
	"bytes"
	"testing"
	"time"

	"camqtt/internal/testkit/cameratest"
	"camqtt/internal/testkit/faketime"
	"camqtt/node/camera"
)

// More pictures than can be requested are read more slowly.
func TestPictureReaderPace(t *testing.T) {
	pic := cameratest.Drawn(t, 1)
	faketime.Run(t, func(t *testing.T) {
		in := NewReader(bytes.NewReader(bytes.Repeat(pic, 10*fastest)), camera.DefaultMaxPicture, &Received{})
		start, n := time.Now(), 0
		for {
			if _, err := in.ReadPicture(t.Context(), func(camera.Frame) {}); err != nil {
				break
			}
			n++
		}
		if took := time.Since(start); n != 10*fastest || took < 9*time.Second || took > 11*time.Second {
			t.Errorf("%d pictures in %v, want %d in 10 s", n, took, 10*fastest)
		}
	})
}
