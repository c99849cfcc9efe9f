package camera_test

import (
	"math"
	"testing"
	"time"

	"camqtt/node/camera"
)

func TestExposureSettler(t *testing.T) {
	now, nan := time.Now(), math.NaN()
	feed := func(s *camera.ExposureSettler, means ...float64) int {
		for i, m := range means {
			if s.Ready(m, now) {
				return i
			}
			if !s.Waiting() {
				t.Errorf("not ready for %v and not waiting", m)
			}
		}
		return -1
	}
	if camera.NewExposureSettler(0).Waiting() {
		t.Error("settle 0 waits")
	}
	for name, x := range map[string]struct {
		means []float64
		want  int
	}{
		"steady from the beginning": {[]float64{90, 91, 92, 90, 90}, 3},
		"black, then up, then calm": {[]float64{0, 0, 0, 0, 0, 40, 80, 100, 101, 102, 101}, 10},
		"overshoot":                 {[]float64{250, 250, 220, 180, 150, 148, 147, 146}, 7},
		"never":                     {[]float64{0, 50, 100, 50, 0, 50, 100, 50}, -1},
		"dark room":                 {[]float64{3, 3, 3, 3, 3, 3, 3}, -1},
		"not known":                 {[]float64{nan, nan, nan, nan, nan}, -1},
	} {
		if got := feed(camera.NewExposureSettler(time.Hour), x.means...); got != x.want {
			t.Errorf("%s: ready at picture %d, want %d", name, got, x.want)
		}
	}
	late := camera.NewExposureSettler(time.Second)
	if late.Ready(3, now) || late.Ready(3, now.Add(time.Second-1)) || !late.Ready(3, now.Add(time.Second)) || late.Waiting() {
		t.Error("a second after the first picture a settler must take a dark room for what it is, and not before")
	}
}
