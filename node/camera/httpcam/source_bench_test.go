package httpcam

import (
	"context"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"camqtt/internal/testkit/cameratest"
	"camqtt/node/camera"
)

// BenchmarkHTTPDelay is how long after a board has sent the last byte of a picture
// the picture is there, at 20 pictures a second: read by our source, and by package
// mime/multipart, which needs the next boundary to know that a part has ended.
func BenchmarkHTTPDelay(b *testing.B) {
	const every = 50 * time.Millisecond
	readers := map[string]func(ctx context.Context, url string, got func()){
		"camqtt": func(ctx context.Context, url string, got func()) {
			if err := open(b, url+"/stream", camera.Options{}).Stream(ctx, camera.Mode{}, func(camera.Frame) { got() }); err != nil {
				b.Error(err)
			}
		},
		"mime": func(ctx context.Context, url string, got func()) {
			req, _ := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				b.Error(err)
				return
			}
			defer res.Body.Close()
			_, params, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
			for r := multipart.NewReader(res.Body, params["boundary"]); ; got() {
				part, err := r.NextPart()
				if err != nil {
					return
				}
				if _, err := io.Copy(io.Discard, part); err != nil {
					return
				}
			}
		},
	}
	for _, name := range []string{"camqtt", "mime"} {
		b.Run(name, func(b *testing.B) {
			sent := make(chan time.Time, 1000)
			pic := cameratest.Drawn(b, 1)
			pic = append(pic[:len(pic):len(pic)], make([]byte, 40<<10)...) // padding, as long as a VGA picture
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "multipart/x-mixed-replace;boundary="+espBoundary)
				for tick := time.NewTicker(every); ; {
					select {
					case <-r.Context().Done():
						tick.Stop()
						return
					case <-tick.C:
					}
					fmt.Fprintf(w, "\r\n--%s\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n", espBoundary, len(pic))
					_, _ = w.Write(pic)
					w.(http.Flusher).Flush()
					sent <- time.Now()
				}
			}))
			defer srv.Close()
			ctx, cancel := context.WithCancel(b.Context())
			defer cancel()
			var total time.Duration
			n := 0
			b.ResetTimer()
			readers[name](ctx, srv.URL, func() {
				total += time.Since(<-sent)
				if n++; n == b.N {
					cancel()
				}
			})
			b.ReportMetric(float64(total.Microseconds())/1000/float64(max(n, 1)), "ms-late/picture")
		})
	}
}
