package node

import (
	"testing"
	"time"

	"camqtt/internal/wire"
	"camqtt/node/camera"
)

// The camera is opened with the most that any lease or request asks, within the settings and
// what it offers.
func TestDemand(t *testing.T) {
	small, large := wire.Size{Width: 320, Height: 240}, wire.Size{Width: 1280, Height: 720}
	p := camera.Profile{
		Caps:   []string{camera.CapSize, camera.CapFPS, camera.CapQuality, camera.CapStill},
		Sizes:  []camera.Size{{Width: 320, Height: 240}, {Width: 640, Height: 480}, {Width: 1280, Height: 720}},
		MaxFPS: 25,
	}
	for name, c := range map[string]struct {
		leases []lease
		snaps  []wire.Command
		want   camera.Mode
	}{
		"one lease":            {[]lease{{fps: 5, size: small, quality: 60}}, nil, camera.Mode{Width: 320, Height: 240, FPS: 5, Quality: 60}},
		"the greatest of two":  {[]lease{{fps: 5, size: small}, {fps: 2, size: large}}, nil, camera.Mode{Width: 1280, Height: 720, FPS: 5, Quality: 80}},
		"an unusual size":      {[]lease{{fps: 1, size: wire.Size{Width: 700, Height: 500}}}, nil, camera.Mode{Width: 640, Height: 480, FPS: 1, Quality: 80}},
		"as configured":        {[]lease{{}}, nil, camera.Mode{Width: 1280, Height: 720, FPS: 20, Quality: 80}},
		"a snap alone":         {nil, []wire.Command{{Size: small}}, camera.Mode{Width: 320, Height: 240, FPS: 20, Quality: 80, Still: true}},
		"a snap and slow live": {[]lease{{fps: 0.1, size: small}}, []wire.Command{{Size: small}}, camera.Mode{Width: 320, Height: 240, FPS: 1, Quality: 80}},
	} {
		t.Run(name, func(t *testing.T) {
			s := configured(Options{Name: "Porch", FPS: 20, Size: large, Quality: 80})
			d := demand{leases: newLeases(func() {}), requests: &requests{}, settings: &s}
			for i, le := range c.leases {
				d.leases.grant(string(rune('a'+i)), le)
			}
			for _, cmd := range c.snaps {
				d.requests.add(request{cmd: cmd, at: time.Unix(0, 0)}, 0)
			}
			if got := d.mode(p); got != c.want {
				t.Errorf("mode %+v, want %+v", got, c.want)
			}
		})
	}
}
