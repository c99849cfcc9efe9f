package httpcam

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"camqtt/internal/testkit/cameratest"
	"camqtt/internal/testkit/faketime"
	"camqtt/node/camera"
)

// piped is a client whose connections are pipes, so that a synctest bubble can
// run the clock, to a camera that takes a request and answers with the text.
func piped(t testing.TB, answer string) *http.Client {
	t.Helper()
	d := newDialer(dialTimeout)
	t.Cleanup(d.close)
	tr := d.transport(nil)
	tr.DialContext = func(context.Context, string, string) (net.Conn, error) {
		client, camera := net.Pipe()
		go func() { // ends when the client closes its end
			defer camera.Close()
			_, _ = camera.Read(make([]byte, 4096))
			_, _ = io.WriteString(camera, answer)
			_, _ = io.Copy(io.Discard, camera)
		}()
		return client, nil
	}
	return &http.Client{Transport: tr}
}

// Cameras that accept a connection and then say nothing, or begin a picture and
// forget it, are given up in time.
func TestHTTPTimeouts(t *testing.T) {
	for name, tt := range map[string]struct {
		answer string
		code   camera.Code
		text   string
	}{
		"no answer":  {"", camera.Stalled, "took the request and did not answer within 5s"},
		"no picture": {"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: 9999\r\n\r\n\xff\xd8\xff", camera.Stalled, "began a picture and did not go on with it within 5s"},
	} {
		t.Run(name, func(t *testing.T) {
			faketime.Run(t, func(t *testing.T) {
				start := time.Now()
				err := open(t, "http://cam.example/#timeout=5s", camera.Options{HTTPClient: piped(t, tt.answer)}).Stream(t.Context(), camera.Mode{}, func(camera.Frame) {})
				if camera.CodeOf(err) != tt.code || !strings.Contains(err.Error(), tt.text) {
					t.Errorf("Stream = %v (%s), want %s with %q", err, camera.CodeOf(err), tt.code, tt.text)
				}
				if took := time.Since(start); took != 5*time.Second {
					t.Errorf("after %v, want 5 s", took)
				}
			})
		})
	}
}

// Wherever a camera hangs, ctx ends the stream at once.
func TestHTTPEndsAtOnce(t *testing.T) {
	pic := string(cameratest.Drawn(t, 1))
	head := func(kind, more string) string {
		return "HTTP/1.1 200 OK\r\nContent-Type: " + kind + "\r\n" + more + "\r\n"
	}
	for name, tt := range map[string]struct {
		answer   string
		pictures int
	}{
		"before the answer": {"", 0},
		"between parts":     {head("multipart/x-mixed-replace", "") + pic, 1},
		"inside a picture":  {head("multipart/x-mixed-replace", "") + pic[:400], 0},
		"inside a snapshot": {head("image/jpeg", fmt.Sprintf("Content-Length: %d\r\n", len(pic))) + pic[:400], 0},
		"between snapshots": {head("image/jpeg", fmt.Sprintf("Content-Length: %d\r\n", len(pic))) + pic, 1},
	} {
		t.Run(name, func(t *testing.T) {
			faketime.Run(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				var ended time.Time
				time.AfterFunc(50*time.Millisecond, func() {
					ended = time.Now()
					cancel()
				})
				n := 0
				err := open(t, "http://cam.example/", camera.Options{HTTPClient: piped(t, tt.answer)}).Stream(ctx, camera.Mode{}, func(camera.Frame) { n++ })
				if err != nil || ended.IsZero() || time.Since(ended) > 0 || n != tt.pictures {
					t.Errorf("Stream = %v after %d pictures, %v after it was to end, want nil at once after %d", err, n, time.Since(ended), tt.pictures)
				}
			})
		})
	}
}

// The same on real sockets: nothing is left.
func TestHTTPEndsCleanly(t *testing.T) {
	pic := cameratest.Drawn(t, 1)
	for name, h := range map[string]http.HandlerFunc{
		"before the answer": func(_ http.ResponseWriter, r *http.Request) { hold(r) },
		"between parts": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "multipart/x-mixed-replace")
			_, _ = w.Write(pic)
			w.(http.Flusher).Flush()
			hold(r)
		},
		"inside a picture": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "multipart/x-mixed-replace")
			_, _ = w.Write(pic[:400])
			w.(http.Flusher).Flush()
			hold(r)
		},
		"inside a snapshot": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "image/jpeg")
			w.Header().Set("Content-Length", fmt.Sprint(len(pic)))
			_, _ = w.Write(pic[:400])
			w.(http.Flusher).Flush()
			hold(r)
		},
		"between snapshots": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "image/jpeg")
			_, _ = w.Write(pic)
		},
	} {
		t.Run(name, func(t *testing.T) {
			cameratest.LeaksSoon(t)
			reached := make(chan struct{}, 100)
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				reached <- struct{}{}
				h(w, r)
			}))
			defer srv.Close()
			err := cameratest.StopAfter(t, open(t, srv.URL, camera.Options{}), func(n int) bool {
				return len(reached) > 0 && (n > 0 || !strings.HasPrefix(name, "between"))
			})
			if err != nil {
				t.Errorf("Stream = %v, want nil", err)
			}
		})
	}
	cameratest.LeaksSoon(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := open(t, "http://127.0.0.1:1/", camera.Options{}).Stream(ctx, camera.Mode{}, func(camera.Frame) {}); err != nil {
		t.Errorf("Stream with a done context = %v", err)
	}
}
