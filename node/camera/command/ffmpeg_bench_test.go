package command

import (
	"testing"
	"time"

	"camqtt/internal/testkit/cameratest"
	"camqtt/node/camera"
)

// BenchmarkColdSnap is the time from opening an RTSP stream, with a key frame every
// 1.25 s, to its first picture, without and with keyframes=on.
func BenchmarkColdSnap(b *testing.B) {
	c := newRTSPCamera(b, 25)
	for _, keyframes := range []string{"off", "on"} {
		b.Run("keyframes="+keyframes, func(b *testing.B) {
			source := "ffmpeg:rtsp://viewer:ge%20heim@" + c.addr + "/stream1#keyframes=" + keyframes
			var total time.Duration
			for range b.N {
				began := time.Now()
				total += cameratest.Take(b, open(b, source, camera.Options{}), camera.Mode{}, 1)[0].At.Sub(began)
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(total.Seconds()/float64(b.N), "s/picture")
		})
	}
}
