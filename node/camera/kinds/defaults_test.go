package kinds

import (
	"testing"
	"time"

	"camqtt/node/camera"
	"camqtt/node/camera/push"
	"camqtt/node/camera/rpicam"
)

// TestFrameValidatorOptions holds the usual check and settling time of each kind of
// source to what the documentation says.
func TestFrameValidatorOptions(t *testing.T) {
	for source, want := range map[string]struct {
		o      camera.Options
		deep   bool
		settle time.Duration
	}{
		"test:":                {camera.Options{}, false, 0},
		"dir:/x":               {camera.Options{}, false, 0},
		"exec:x":               {camera.Options{}, false, 0},
		"http://x/":            {camera.Options{}, false, 0},
		"https://x/":           {camera.Options{Check: camera.CheckFull}, true, 0},
		"HTTP://x/":            {camera.Options{Check: camera.CheckMarkers, Settle: time.Second}, false, time.Second},
		"test:64x64":           {camera.Options{Check: camera.CheckFull}, true, 0},
		"v4l2:":                {camera.Options{}, false, 1500 * time.Millisecond},
		"v4l2:/dev/video0":     {camera.Options{Settle: 3 * time.Second}, false, 3 * time.Second},
		"v4l2:/dev/video1":     {camera.Options{Settle: -1}, false, 0},
		"v4l2:?settle=2s":      {camera.Options{Settle: 3 * time.Second}, false, 2 * time.Second},
		"v4l2:?settle=0":       {camera.Options{Check: camera.CheckFull}, true, 0},
		"v4l2:usb-A?settle=2s": {camera.Options{Settle: -1}, false, 2 * time.Second},
	} {
		s := open(t, source, want.o).(*camera.FrameValidator)
		if deep, settle := s.Settings(); deep != want.deep || settle != want.settle {
			t.Errorf("%s with %q and %v: full %v, settles for %v; want %v, %v", source, want.o.Check, want.o.Settle, deep, settle, want.deep, want.settle)
		}
	}
	for text, o := range map[string]camera.Options{
		`check "deep": want auto, full or markers`: {Check: "deep"},
		`settle 11s: want up to 10s`:               {Settle: 11 * time.Second},
	} {
		if _, err := openSource("test:", o); camera.CodeOf(err) != camera.Config || err.Error() != text {
			t.Errorf("Open = %v, want %s", err, text)
		}
	}
	if k := rpicam.Kind(); k.Settle != camera.SettleTime || k.Check != camera.CheckMarkers {
		t.Errorf("rpicam: %+v, want it to settle", k)
	}
	if k := push.Kind(); k.Settle != 0 || k.Check != camera.CheckFull {
		t.Errorf("push: %+v, want it to be looked at closely", k)
	}
}
