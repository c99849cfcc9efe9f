package dashboard

import (
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"camqtt/internal/viewer"
	"camqtt/internal/wire"
)

// cameraFigure is one figure of every camera.
type cameraFigure struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(viewer.Camera, time.Time) (float64, bool) // false: not known
}

// cameraCollector reads the cameras anew for each scrape, so one that is forgotten
// leaves nothing behind.
type cameraCollector struct {
	cameras interface{ Cameras() []viewer.Camera }
	figures []cameraFigure
}

func newCameraCollector(cameras interface{ Cameras() []viewer.Camera }) *cameraCollector {
	c := &cameraCollector{cameras: cameras}
	add := func(name, help string, kind prometheus.ValueType, f func(viewer.Camera, time.Time) (float64, bool)) {
		desc := prometheus.NewDesc("camqtt_camera_"+name, help, []string{"id"}, nil)
		c.figures = append(c.figures, cameraFigure{desc, kind, f})
	}
	gauge := func(name, help string, f func(viewer.Camera) float64) {
		add(name, help, prometheus.GaugeValue, func(c viewer.Camera, _ time.Time) (float64, bool) { return f(c), true })
	}
	add("online", "1 while the camera is online and heard of.", prometheus.GaugeValue,
		func(c viewer.Camera, now time.Time) (float64, bool) { return truth(c.Online(now)), true })
	gauge("streaming", "1 while the camera streams.", func(c viewer.Camera) float64 { return truth(c.State.Streaming) })
	gauge("viewers", "Leases held.", func(c viewer.Camera) float64 { return float64(c.State.Viewers) })
	gauge("privacy", "1 while privacy is on.", func(c viewer.Camera) float64 { return truth(c.State.Privacy) })
	gauge("fault", "1 while the camera reports an error.", func(c viewer.Camera) float64 { return truth(c.State.Error != nil) })
	for _, s := range wire.Statistics() {
		kind := prometheus.GaugeValue
		if strings.HasSuffix(s.Metric, "_total") {
			kind = prometheus.CounterValue
		}
		add(s.Metric, s.Help, kind, func(c viewer.Camera, _ time.Time) (float64, bool) {
			if c.Stats.TS.IsZero() || s.Unknown != nil && s.Unknown(&c.Stats) {
				return 0, false
			}
			return s.Value(&c.Stats), true
		})
	}
	return c
}

// Describe names the figures.
func (c *cameraCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, f := range c.figures {
		ch <- f.desc
	}
}

// Collect reads them.
func (c *cameraCollector) Collect(ch chan<- prometheus.Metric) {
	now := time.Now()
	for _, cam := range c.cameras.Cameras() {
		for _, f := range c.figures {
			if v, ok := f.value(cam, now); ok {
				ch <- prometheus.MustNewConstMetric(f.desc, f.kind, v, string(cam.ID))
			}
		}
	}
}
