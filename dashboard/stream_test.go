package dashboard

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"camqtt/internal/testkit"
	"camqtt/internal/testkit/faketime"
	"camqtt/internal/viewer"
	"camqtt/internal/wire"
)

// openStream begins to read a stream until the test ends.
func openStream(t testing.TB, url string) (*http.Response, *multipart.Reader) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testkit.Patience)
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Transport{}).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	kind, params, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/x-mixed-replace" {
		t.Fatalf("%d %s, %v: want a stream", resp.StatusCode, kind, err)
	}
	return resp, multipart.NewReader(resp.Body, params["boundary"])
}

func TestStreamShowsEachPictureAtOnce(t *testing.T) {
	f := newFake()
	feed := make(chan viewer.Picture)
	f.watch = func(ctx context.Context, _ wire.ID, _ viewer.Live, show func(viewer.Picture) error) error {
		for {
			select {
			case <-ctx.Done():
				return nil
			case p := <-feed:
				if err := show(p); err != nil {
					return err
				}
			}
		}
	}
	s := serve(t, Options{Viewer: f})
	at := time.Date(2026, 1, 31, 12, 0, 0, 42e6, time.UTC)
	first := make(chan struct{})
	go func() { // ends when the stream takes the picture
		feed <- viewer.Picture{JPEG: testkit.JPEG(t, 64, 48, 0, 50), At: at}
		close(first)
	}()
	resp, parts := openStream(t, s.url+"/cam/porch/stream.mjpg?fps=10&size=320x240&quality=70")
	<-first
	if got, want := *f.asked.Load(), (viewer.Live{FPS: 10, Size: wire.Size{Width: 320, Height: 240}, Quality: 70}); got != want {
		t.Errorf("asked for %+v, want %+v", got, want)
	}
	if resp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("Cache-Control %q, want no-store", resp.Header.Get("Cache-Control"))
	}
	for i := range 3 {
		if i > 0 {
			feed <- viewer.Picture{JPEG: testkit.JPEG(t, 64, 48, int64(i), 50), At: at}
		}
		part, err := parts.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		jpg, err := io.ReadAll(part) // returns although no further picture was sent
		if err != nil || !bytes.Equal(jpg, testkit.JPEG(t, 64, 48, int64(i), 50)) {
			t.Errorf("picture %d: %d bytes, %v: want what was sent", i, len(jpg), err)
		}
		h := part.Header
		if h.Get("Content-Type") != "image/jpeg" || h.Get("Content-Length") != strconv.Itoa(len(jpg)) || h.Get("X-Timestamp") != "1769860800.042" {
			t.Errorf("picture %d: headers %v", i, h)
		}
	}
	resp.Body.Close()
	testkit.Until(t, "the lease is given back", func() bool { return f.leases.Load() == 0 })
}

func TestStreamHead(t *testing.T) {
	f := newFake()
	s := serve(t, Options{Viewer: f})
	resp, body := ask(t, "HEAD", s.url+"/cam/porch/stream.mjpg")
	if resp.StatusCode != 200 || body != "" || !strings.HasPrefix(resp.Header.Get("Content-Type"), "multipart/x-mixed-replace") {
		t.Errorf("HEAD = %d %v", resp.StatusCode, resp.Header)
	}
	if f.asked.Load() != nil {
		t.Error("HEAD took a lease")
	}
}

func TestStreamWithoutPictures(t *testing.T) {
	s := serve(t, Options{Limits: Limits{SnapTimeout: 20 * time.Millisecond}})
	resp, body := ask(t, "GET", s.url+"/cam/porch/stream.mjpg")
	wantAnswer(t, resp, body, 504, "did not answer")
}

func TestStreamLimit(t *testing.T) {
	f := newFake()
	f.watch = every(10*time.Millisecond, func(int) []byte { return []byte("x") })
	s := serve(t, Options{Viewer: f, Limits: Limits{Streams: 1}})
	openStream(t, s.url+"/cam/porch/stream.mjpg")
	resp, body := ask(t, "GET", s.url+"/cam/garden/stream.mjpg")
	wantAnswer(t, resp, body, 503, "limit")
	if resp.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
}

func TestAStalledVisitorDelaysNobodyAndIsDropped(t *testing.T) {
	f := newFake()
	jpg := bytes.Repeat([]byte("j"), 1<<20)
	f.watch = every(5*time.Millisecond, func(int) []byte { return jpg })
	s := serve(t, Options{Viewer: f, Limits: Limits{WriteTimeout: 3 * time.Second}})
	stalled := rawGet(t, s.addr, "/cam/porch/stream.mjpg")
	defer stalled.Close()
	testkit.Until(t, "the stalled visitor is there", func() bool { return f.leases.Load() == 1 })
	_, parts := openStream(t, s.url+"/cam/porch/stream.mjpg")
	for range 20 {
		part, err := parts.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, part); err != nil || n != 1<<20 {
			t.Fatalf("%d bytes, %v", n, err)
		}
	}
	go func() { // ends with the stream, when the test does
		for {
			part, err := parts.NextPart()
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, part)
		}
	}()
	testkit.Until(t, "the stalled visitor is dropped", func() bool { return f.leases.Load() == 1 })
	testkit.Until(t, "/metrics shows that one stream was dropped and one remains", func() bool { // its place is given back after its lease
		_, body := ask(t, "GET", s.url+"/metrics")
		return strings.Contains(body, "camqtt_http_stream_dropped_total 1\n") && strings.Contains(body, "camqtt_http_streams 1\n")
	})
}

func TestASlowVisitorSeesTheNewest(t *testing.T) {
	f := newFake()
	const last = 400
	filler := bytes.Repeat([]byte("j"), 100000)
	var shown atomic.Int64
	f.watch = func(ctx context.Context, _ wire.ID, _ viewer.Live, show func(viewer.Picture) error) error {
		for n := range last {
			if err := show(viewer.Picture{JPEG: fmt.Appendf(nil, "%04d%s", n, filler), At: time.Now()}); err != nil {
				return err
			}
			shown.Add(1)
		}
		<-ctx.Done()
		return nil
	}
	s := serve(t, Options{Viewer: f})
	c := rawGet(t, s.addr, "/cam/porch/stream.mjpg")
	defer c.Close()
	testkit.Until(t, "all pictures were shown", func() bool { return shown.Load() == last })
	_ = c.SetReadDeadline(time.Now().Add(testkit.Patience))
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	parts := multipart.NewReader(resp.Body, boundary)
	var seen []string
	for len(seen) == 0 || seen[len(seen)-1] != fmt.Sprintf("%04d", last-1) {
		part, err := parts.NextPart()
		if err != nil {
			t.Fatalf("after %d pictures, the last %v: %v", len(seen), seen[max(0, len(seen)-1):], err)
		}
		jpg, _ := io.ReadAll(part)
		seen = append(seen, string(jpg[:4]))
	}
	if len(seen) > last/4 {
		t.Errorf("%d of %d pictures waited for a visitor who read nothing, want few", len(seen), last)
	}
}

// quietWriter is an answer that goes nowhere.
type quietWriter struct {
	*httptest.ResponseRecorder
	pictures atomic.Int64
}

func (w *quietWriter) Write(p []byte) (int, error) {
	if bytes.HasPrefix(p, []byte("jpg")) {
		w.pictures.Add(1)
	}
	return len(p), nil
}

func TestStreamRate(t *testing.T) {
	for _, c := range []struct {
		camera time.Duration
		fps    string
		want   int64
	}{
		{50 * time.Millisecond, "5", 50},
		{200 * time.Millisecond, "5", 50},
		{199 * time.Millisecond, "5", 50},
		{time.Second, "5", 10},
		{20 * time.Millisecond, "", 500},
		{100 * time.Millisecond, "0.5", 5},
	} {
		t.Run(fmt.Sprint(c.camera, " ", c.fps), func(t *testing.T) {
			faketime.Run(t, func(t *testing.T) {
				f := newFake()
				f.watch = every(c.camera, func(int) []byte { return []byte("jpg") })
				d, err := New(Options{Viewer: f, Attach: echo, Log: quietLog()})
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				w := &quietWriter{ResponseRecorder: httptest.NewRecorder()}
				d.Handler().ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", "http://localhost/cam/porch/stream.mjpg?fps="+c.fps, nil))
				if got := w.pictures.Load(); got < c.want-1 || got > c.want+2 {
					t.Errorf("%d pictures in 10 s, want %d", got, c.want)
				}
			})
		})
	}
}

func TestStreamEndsWithItsCamera(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*viewer.Camera)
		ends   bool
	}{
		"online but silent": {func(*viewer.Camera) {}, false},
		"offline":           {func(c *viewer.Camera) { c.Status = wire.Offline }, true},
		"private":           {func(c *viewer.Camera) { c.State.Privacy = true }, true},
	} {
		t.Run(name, func(t *testing.T) {
			faketime.Run(t, func(t *testing.T) {
				f := newFake()
				f.watch = func(ctx context.Context, _ wire.ID, _ viewer.Live, show func(viewer.Picture) error) error {
					_ = show(viewer.Picture{JPEG: []byte("jpg"), At: time.Now()})
					cam := online("porch")
					c.change(&cam)
					f.set(cam)
					<-ctx.Done()
					return nil
				}
				d, err := New(Options{Viewer: f, Attach: echo, Log: quietLog()})
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				w := &quietWriter{ResponseRecorder: httptest.NewRecorder()}
				begun := time.Now()
				d.Handler().ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", "http://localhost/cam/porch/stream.mjpg", nil))
				if took, ended := time.Since(begun), ctx.Err() == nil; ended != c.ends {
					t.Errorf("ended after %s: %t, want %t", took, ended, c.ends)
				}
				if took := time.Since(begun); name == "private" && took > 2*privacyCheck {
					t.Errorf("it goes on for %s", took)
				}
				if n := f.leases.Load(); n != 0 {
					t.Errorf("%d leases are still held", n)
				}
			})
		})
	}
}

func TestStreamForOtherPrograms(t *testing.T) {
	f := newFake()
	pictures := [][]byte{testkit.JPEG(t, 320, 240, 1, 90), testkit.JPEG(t, 320, 240, 2, 90)}
	f.watch = every(20*time.Millisecond, func(n int) []byte { return pictures[n%2] })
	s := serve(t, Options{Viewer: f})
	url := s.url + "/cam/porch/stream.mjpg?fps=20"

	t.Run("ffmpeg", func(t *testing.T) {
		for _, format := range []string{"mpjpeg", ""} { // "" lets it find out
			args := []string{"-hide_banner", "-nostdin", "-i", url, "-frames:v", "3", "-f", "framemd5", "-"}
			if format != "" {
				args = append([]string{"-f", format}, args...)
			}
			out, stderr, status := testkit.Run(t, testkit.Tool(t, "ffmpeg"), args...)
			frames := 0
			for line := range strings.Lines(string(out)) {
				if !strings.HasPrefix(line, "#") {
					frames++
				}
			}
			if status != 0 || frames != 3 {
				t.Errorf("format %q: status %d, %d pictures, want 3\n%s", format, status, frames, stderr)
			}
		}
	})
	t.Run("ffprobe", func(t *testing.T) {
		out, stderr, status := testkit.Run(t, testkit.Tool(t, "ffprobe"), "-hide_banner", "-v", "error", "-f", "mpjpeg",
			"-show_entries", "stream=codec_name,width,height", "-of", "csv=p=0", url)
		if got := strings.TrimSpace(string(out)); status != 0 || !strings.HasPrefix(got, "mjpeg,320,240") {
			t.Errorf("status %d, %q, want mjpeg,320,240\n%s", status, got, stderr)
		}
	})
	t.Run("curl", func(t *testing.T) {
		p := testkit.Start(t, testkit.Tool(t, "curl"), "-sS", "-N", url)
		testkit.Until(t, "three pictures have come", func() bool {
			if p.Ended() {
				t.Fatalf("the stream ended, or could not be had: %.200q %s", p.Out(), p.Err())
			}
			return strings.Count(p.Out(), "\r\n--"+boundary+"\r\n") >= 3
		})
		if out := p.Out(); !strings.HasPrefix(out, "--"+boundary+"\r\nContent-Type: image/jpeg\r\n") {
			t.Errorf("it begins with %.100q", out)
		}
		p.Signal(syscall.SIGTERM)
		p.Wait()
	})
	testkit.Until(t, "all leases are given back", func() bool { return f.leases.Load() == 0 })
}
