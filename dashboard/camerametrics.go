package dashboard

import (
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

// statFigure is one figure of the heartbeat.
type statFigure struct {
	key, name, help string // key is that of [wire.Stats]
	kind            prometheus.ValueType
	value           func(wire.Stats) (float64, bool) // false: the camera does not say it
}

// statFigures has every number of [wire.Stats].
func statFigures() []statFigure {
	const gauge, counter = prometheus.GaugeValue, prometheus.CounterValue
	count := func(f func(wire.Stats) uint64) func(wire.Stats) (float64, bool) {
		return func(s wire.Stats) (float64, bool) { return float64(f(s)), true }
	}
	return []statFigure{
		{"every", "heartbeat_seconds", "Time between heartbeats.", gauge, func(s wire.Stats) (float64, bool) { return s.Every, true }},
		{"uptime", "uptime_seconds", "Time since the node started.", gauge, func(s wire.Stats) (float64, bool) { return float64(s.Uptime), true }},
		{"fps", "fps", "Pictures per second sent.", gauge, func(s wire.Stats) (float64, bool) { return s.FPS, true }},
		{"bytes_per_second", "bytes_per_second", "Bytes of pictures per second sent.", gauge, func(s wire.Stats) (float64, bool) { return float64(s.BytesPerSecond), true }},
		{"captured", "captured_total", "Pictures that came from the camera.", counter, count(func(s wire.Stats) uint64 { return s.Captured })},
		{"sent", "sent_total", "Pictures published.", counter, count(func(s wire.Stats) uint64 { return s.Sent })},
		{"snapshots", "snapshots_total", "Deliberate pictures published.", counter, count(func(s wire.Stats) uint64 { return s.Snapshots })},
		{"bytes", "bytes_total", "Bytes of pictures published.", counter, count(func(s wire.Stats) uint64 { return s.Bytes })},
		{"replaced", "replaced_total", "Pictures that gave way to newer ones.", counter, count(func(s wire.Stats) uint64 { return s.Replaced })},
		{"unsent", "unsent_total", "Pictures dropped because the broker was out of reach.", counter, count(func(s wire.Stats) uint64 { return s.Unsent })},
		{"broken", "broken_total", "Pictures that were not whole.", counter, count(func(s wire.Stats) uint64 { return s.Broken })},
		{"too_large", "too_large_total", "Pictures over the size limit.", counter, count(func(s wire.Stats) uint64 { return s.TooLarge })},
		{"commands", "commands_total", "Commands received.", counter, count(func(s wire.Stats) uint64 { return s.Commands })},
		{"unanswered", "unanswered_total", "Commands not answered, because too many came at once.", counter, count(func(s wire.Stats) uint64 { return s.Unanswered })},
		{"reconnects", "reconnects_total", "Times the node lost its broker.", counter, count(func(s wire.Stats) uint64 { return s.Reconnects })},
		{"restarts", "restarts_total", "Times the camera was restarted after a fault.", counter, count(func(s wire.Stats) uint64 { return s.Restarts })},
		{"temperature", "temperature_celsius", "Temperature of the node's processor.", gauge, func(s wire.Stats) (float64, bool) {
			if s.Temperature == nil {
				return 0, false
			}
			return *s.Temperature, true
		}},
		{"memory", "memory_bytes", "Memory that the node's process has from the system.", gauge, func(s wire.Stats) (float64, bool) { return float64(s.Memory), s.Memory > 0 }},
		{"signal", "signal_dbm", "Strength of the node's wireless network.", gauge, func(s wire.Stats) (float64, bool) {
			if s.Signal == nil {
				return 0, false
			}
			return float64(*s.Signal), true
		}},
	}
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
	for _, f := range statFigures() {
		add(f.name, f.help, f.kind, func(c viewer.Camera, _ time.Time) (float64, bool) {
			v, known := f.value(c.Stats)
			return v, known && !c.Stats.TS.IsZero()
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
