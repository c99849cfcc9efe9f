package app

import (
	"testing"

	"camqtt/node/camera"
	"camqtt/node/camera/kinds"
)

// TestOrientation turns a picture once: in the camera where it can, else by EXIF.
func TestOrientation(t *testing.T) {
	for source, want := range map[string]map[string]int{
		"rpicam:":                 {"": 0, "0": 0, "180": 0, "hflip": 0, "vflip": 0, "90": 6, "270": 8},
		"ffmpeg:rtsp://host/path": {"": 0, "0": 0, "180": 3, "hflip": 2, "vflip": 4, "90": 6, "270": 8},
	} {
		for rotate, o := range want {
			s, err := kinds.Open(source, camera.Options{Rotate: rotate})
			if err != nil {
				t.Fatal(err)
			}
			if got := orientation(rotate, s); got != o {
				t.Errorf("%s turned %q: EXIF Orientation %d, want %d", source, rotate, got, o)
			}
		}
	}
}
