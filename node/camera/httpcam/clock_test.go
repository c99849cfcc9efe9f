package httpcam

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"camqtt/internal/testkit/cameratest"
	"camqtt/node/camera"
)

// A program whose X-Timestamp is no clock that counts from its start does not stop
// its pictures, neither in a stream nor one by one, nor when it is opened again.
func TestHTTPStampIsNoClock(t *testing.T) {
	pic := cameratest.Drawn(t, 1)
	for name, stamp := range map[string]func(n int) string{
		"constant":  func(int) string { return "5.000001" },
		"zero":      func(int) string { return "0.000000" },
		"too slow":  func(n int) string { return fmt.Sprintf("%d.000100", 100+n/1000) },
		"too fast":  func(n int) string { return fmt.Sprintf("%d.5", 1000*n) },
		"backwards": func(n int) string { return fmt.Sprintf("%d.25", 100000-10*n) },
		"no number": func(int) string { return "yesterday" },
		"date":      func(int) string { return fmt.Sprintf("%d.123456", time.Now().Unix()) },
	} {
		for kind, path := range map[string]string{"stream": "/stream", "pictures": "/capture"} {
			t.Run(name+" "+kind, func(t *testing.T) {
				t.Parallel()
				n := 0
				srv := cameratest.Serve(t, func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path == "/capture" {
						n++
						w.Header().Set("Content-Type", "image/jpeg")
						w.Header().Set("X-Timestamp", stamp(n))
						_, _ = w.Write(pic)
						return
					}
					w.Header().Set("Content-Type", "multipart/x-mixed-replace;boundary=b")
					for r.Context().Err() == nil {
						n++
						fmt.Fprintf(w, "--b\r\nContent-Length: %d\r\nX-Timestamp: %s\r\n\r\n%s\r\n", len(pic), stamp(n), pic)
						w.(http.Flusher).Flush()
						select {
						case <-r.Context().Done():
						case <-time.After(20 * time.Millisecond):
						}
					}
				})
				s := open(t, srv.URL+path, camera.Options{})
				cameratest.Take(t, s, camera.Mode{FPS: 50}, 10)
				<-time.After(oldest + 300*time.Millisecond) // what waited in a board would be too old now
				cameratest.Take(t, s, camera.Mode{FPS: 50}, 10)
			})
		}
	}
}
