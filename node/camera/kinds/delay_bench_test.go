package kinds

import (
	"context"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"camqtt/internal/testkit/cameratest"
	"camqtt/node/camera"
)

// BenchmarkDelay is the time from a program's writing the last byte of a picture
// to our handing it out, at 50 pictures a second of 640x480.
func BenchmarkDelay(b *testing.B) {
	for name, source := range map[string]string{
		"exec":   "exec:rpicam-vid -n -t 0 --codec mjpeg --flush -o - --framerate 50",
		"rpicam": "rpicam:",
		"ffmpeg": "ffmpeg:rtsp://127.0.0.1/x",
	} {
		b.Run(name, func(b *testing.B) {
			c := cameratest.NewCSI(b, "rpicam-vid", "ffmpeg")
			times := filepath.Join(b.TempDir(), "times")
			b.Setenv("CSI_TIMES", times)
			cameratest.Write(b, c.Picture, photo(b))
			s := open(b, source, camera.Options{})
			n := max(b.N, 200)
			came := make([]time.Time, 0, n)
			ctx, cancel := context.WithCancel(b.Context())
			defer cancel()
			if err := s.Stream(ctx, camera.Mode{FPS: 50}, func(camera.Frame) {
				if came = append(came, time.Now()); len(came) == n {
					cancel()
				}
			}); err != nil {
				b.Fatal(err)
			}
			var took []time.Duration
			wrote := strings.Fields(string(cameratest.Read(b, times)))
			for i := range min(n, len(wrote)) {
				ns, err := strconv.ParseInt(wrote[i], 10, 64)
				if err != nil {
					b.Fatal(err)
				}
				took = append(took, came[i].Sub(time.Unix(0, ns)))
			}
			slices.Sort(took)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
			b.ReportMetric(float64(len(cameratest.Read(b, c.Picture))), "bytes/picture")
		})
	}
}

// photo is a picture of 640x480 with as many bytes as one of a real scene has.
func photo(t testing.TB) []byte {
	t.Helper()
	return cameratest.Take(t, open(t, "test:640x480?quality=97", camera.Options{}), camera.Mode{}, 1)[0].JPEG
}
