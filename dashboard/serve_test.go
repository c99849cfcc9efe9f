package dashboard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"camqtt/internal/testkit"
	"camqtt/internal/viewer"
	"camqtt/internal/wire"
)

func TestNewRefuses(t *testing.T) {
	good := Options{Attach: echo, Viewer: newFake(), Log: quietLog()}
	if _, err := New(good); err != nil {
		t.Fatalf("New() = %v, want none: the rest has defaults", err)
	}
	for name, spoil := range map[string]func(*Options){
		"no attach": func(o *Options) { o.Attach = nil },
		"no viewer": func(o *Options) { o.Viewer = nil },
		"no log":    func(o *Options) { o.Log = nil },
		"base":      func(o *Options) { o.Base = "a//b" },
		"origin":    func(o *Options) { o.Origins = []string{"*"} },
		"streams":   func(o *Options) { o.Limits.Streams = -1 },
		"ping":      func(o *Options) { o.Limits.Ping = -1 },
		"snapshot":  func(o *Options) { o.Limits.SnapTimeout = time.Minute },
		"messages":  func(o *Options) { o.Limits.MessageBytes = -1 },
	} {
		o := good
		spoil(&o)
		if _, err := New(o); err == nil {
			t.Errorf("%s: New() gave no error", name)
		}
	}
	d, err := New(good)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Serve(context.Background()); err == nil {
		t.Error("Serve() without a listener gave no error")
	}
}

func TestServeEndsEverythingAtOnce(t *testing.T) {
	before := runtime.NumGoroutine()
	f := newFake()
	f.watch = every(10*time.Millisecond, func(int) []byte { return []byte("picture") })
	f.snap = func(ctx context.Context, _ wire.ID, _ viewer.Ask) (viewer.Picture, error) {
		<-ctx.Done()
		return viewer.Picture{}, ctx.Err()
	}
	s := serve(t, Options{Viewer: f, Log: quietLog(), Limits: Limits{WriteTimeout: time.Hour, SnapTimeout: maxSnapTime}, Attach: func(ctx context.Context, c net.Conn) error {
		<-ctx.Done()
		return c.Close()
	}})
	stalled := rawGet(t, s.addr, "/cam/porch/stream.mjpg")
	defer stalled.Close()
	waiting := rawGet(t, s.addr, "/cam/porch/snapshot.jpg")
	defer waiting.Close()
	idle, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	mustDialWS(t, s)
	testkit.Until(t, "all are served", func() bool {
		return s.streams.open.taken.Load() == 1 && s.pictures.waiting.taken.Load() == 1 && s.sockets.open.taken.Load() == 1 && s.open.Counts().Open == 4
	})
	begun := time.Now()
	if err := s.stop(); err != nil {
		t.Errorf("Serve() = %v", err)
	}
	if took := time.Since(begun); took > maxSnapTime-5*time.Second {
		t.Errorf("Serve took %s to end: it waited for somebody", took)
	}
	if n := f.leases.Load(); n != 0 {
		t.Errorf("%d leases are still held", n)
	}
	if n := s.open.Counts().Open; n != 0 {
		t.Errorf("%d connections are still counted", n)
	}
	testkit.Until(t, "no goroutine is left", func() bool { return runtime.NumGoroutine() <= before+1 })
}

func rawGet(t testing.TB, addr, path string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path)
	return c
}

func TestServeSaysWhenItsListenerFails(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	d, err := New(Options{Listener: l, Attach: echo, Viewer: newFake(), Log: quietLog()})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Serve(context.Background()); err == nil || !strings.Contains(err.Error(), l.Addr().String()) {
		t.Errorf("Serve() = %v, want an error that names the address", err)
	}
}

func TestHealth(t *testing.T) {
	var ready atomic.Bool
	var full atomic.Bool
	s := serve(t, Options{Ready: ready.Load, Disk: func() error {
		if full.Load() {
			return errors.New("the disk is full")
		}
		return nil
	}})
	resp, body := ask(t, "GET", s.url+"/healthz")
	wantAnswer(t, resp, body, 200, "ok")
	resp, body = ask(t, "GET", s.url+"/readyz")
	wantAnswer(t, resp, body, 503, "not connected")
	resp, body = ask(t, "GET", s.url+"/cam/porch/snapshot.jpg")
	wantAnswer(t, resp, body, 503, "not connected")
	ready.Store(true)
	resp, body = ask(t, "GET", s.url+"/readyz")
	wantAnswer(t, resp, body, 200, "ok")
	full.Store(true)
	resp, body = ask(t, "GET", s.url+"/readyz")
	wantAnswer(t, resp, body, 503, "the disk is full")
	resp, body = ask(t, "GET", s.url+"/healthz")
	wantAnswer(t, resp, body, 200, "ok")
}

func TestCameraList(t *testing.T) {
	f := newFake()
	f.cams = nil
	s := serve(t, Options{Viewer: f})
	if _, body := ask(t, "GET", s.url+"/api/cameras"); body != "[]\n" {
		t.Errorf("no cameras: %q, want []", body)
	}
	temperature := 48.5
	last := wire.At(time.Now().Add(-2 * time.Second))
	c := online("porch")
	c.Info = wire.Info{ID: "porch", Name: "Porch <b>", Model: "OV5647", Source: "v4l2", Host: "pi", Version: "1.2"}
	c.State = wire.State{Streaming: true, Viewers: 2, FPS: 5, Width: 640, Height: 480, LastFrame: &last, Error: &wire.Problem{Code: wire.Stalled, Text: "no picture"}}
	c.Stats = wire.Stats{TS: last, Every: 30, Sent: 9, Temperature: &temperature}
	f.set(c)
	f.set(viewer.Camera{ID: "away", Status: wire.Offline})
	f.set(viewer.Camera{ID: "asleep", Status: wire.Sleeping, Heard: time.Now()})
	f.set(viewer.Camera{ID: "gone", Status: wire.Online, Seen: time.Now().Add(-time.Hour)})
	f.set(viewer.Camera{ID: "odd", Status: "\x1b[31m"})
	dayOld := wire.At(last.AddDate(0, 0, -1))
	behind := viewer.Camera{ID: "behind", Status: wire.Online, Heard: time.Now(), State: wire.State{LastFrame: &dayOld}}
	behind.Clock.Sent(time.Now().AddDate(0, 0, -1), time.Now())
	f.set(behind)
	resp, body := ask(t, "GET", s.url+"/api/cameras")
	if resp.Header.Get("Content-Type") != "application/json" || resp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers %v, want JSON that is not stored", resp.Header)
	}
	var got []map[string]any
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	by := map[any]map[string]any{}
	for _, g := range got {
		by[g["id"]] = g
	}
	for id, want := range map[string]string{"porch": "online", "away": "offline", "asleep": "sleeping", "gone": "lost", "odd": "unknown"} {
		if by[id]["status"] != want {
			t.Errorf("status of %s is %v, want %s", id, by[id]["status"], want)
		}
	}
	if age, ok := by["behind"]["age_ms"].(float64); !ok || age < 1000 || age > 60_000 {
		t.Errorf("age of a picture of a camera whose clock is a day behind is %v", by["behind"]["age_ms"])
	}
	if w, _ := by["behind"]["warning"].(string); !strings.Contains(w, "its clock is 24 h behind") {
		t.Errorf("warning of a camera whose clock is a day behind is %q", w)
	}
	p := by["porch"]
	for key, want := range map[string]any{
		"name": "Porch <b>", "streaming": true, "viewers": 2.0, "width": 640.0, "height": 480.0, "fps": 5.0, "privacy": false,
		"model": "OV5647", "source": "v4l2", "host": "pi", "version": "1.2", "last_frame": last.UTC().Format(wire.TimeFormat),
	} {
		if p[key] != want {
			t.Errorf("%s is %v, want %v", key, p[key], want)
		}
	}
	if age, _ := p["age_ms"].(float64); age < 2000 || age > 60000 {
		t.Errorf("age_ms is %v, want 2000 or a little more", p["age_ms"])
	}
	if e, _ := p["error"].(map[string]any); e["code"] != "stalled" {
		t.Errorf("error is %v, want stalled", p["error"])
	}
	if st, _ := p["stats"].(map[string]any); st["sent"] != 9.0 {
		t.Errorf("stats are %v, want what the camera said", p["stats"])
	}
	for _, key := range []string{"age_ms", "last_frame", "error", "stats"} {
		if v, there := by["away"][key]; !there || v != nil {
			t.Errorf("%s of a camera that said nothing is %v, want null", key, v)
		}
	}
}

func TestMetrics(t *testing.T) {
	f := newFake()
	temperature := 48.5
	c := online("porch")
	c.State = wire.State{Streaming: true, Viewers: 2}
	c.Stats = wire.Stats{TS: wire.At(time.Now()), FPS: 5, BytesPerSecond: 1000, Captured: 1, Sent: 2, Snapshots: 3, Replaced: 4, Unsent: 5, Broken: 6, TooLarge: 7, Reconnects: 8, Restarts: 9, Temperature: &temperature}
	f.set(c)
	s := serve(t, Options{Viewer: f, Version: "1.2.3", Broker: func() []Counter {
		return []Counter{
			{Name: "broker_clients", Help: "Clients.", Value: 3, Gauge: true},
			{Name: "broker_drops_total", Help: "Drops.", Value: 4},
			{Name: "bad name", Value: 1},
			{Name: "broker_clients", Value: 9},
			{Name: "broker_camera_frames_total", Help: "Frames.", Value: 11, Camera: "porch"},
			{Name: "broker_camera_frames_total", Help: "Frames.", Value: 12, Camera: "garden"},
			{Name: "broker_camera_frames_total", Help: "Frames.", Value: 13, Camera: "porch"},
			{Name: "broker_camera_frames_total", Help: "Frames.", Value: 14, Camera: "made-up"},
			{Name: "broker_camera_frames_total", Help: "Frames.", Value: 15},
			{Name: "broker_camera_frames_total", Help: "Others.", Value: 16, Camera: "garden", Gauge: true},
			{Name: "broker_clients", Help: "Clients.", Value: 17, Camera: "porch"},
		}
	}})
	ask(t, "GET", s.url+"/nothing-at-all")
	ask(t, "GET", s.url+"/app.js")
	ask(t, "GET", s.url+"/cam/porch/snapshot.jpg")
	ask(t, "GET", s.url+"/cam/WRONG/snapshot.jpg")
	mustDialWS(t, s)
	testkit.Until(t, "the WebSocket is counted", func() bool { return s.sockets.open.taken.Load() == 1 })
	resp, body := ask(t, "GET", s.url+"/metrics")
	testkit.Until(t, "the answers are counted, which is after they have been sent", func() bool {
		resp, body = ask(t, "GET", s.url+"/metrics")
		return strings.Contains(body, `path="other"} 1`) && strings.Contains(body, `path="page"} 1`) &&
			strings.Contains(body, `code="200",path="/cam/{id}/snapshot.jpg"} 1`) && strings.Contains(body, `code="400",path="/cam/{id}/snapshot.jpg"} 1`)
	})
	if resp.StatusCode != 200 || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain") {
		t.Fatalf("GET /metrics = %d %s", resp.StatusCode, resp.Header.Get("Content-Type"))
	}
	for _, want := range []string{
		`camqtt_build_info{go="` + runtime.Version() + `",version="1.2.3"} 1`,
		`camqtt_camera_online{id="porch"} 1`, `camqtt_camera_online{id="garden"} 1`,
		`camqtt_camera_streaming{id="porch"} 1`, `camqtt_camera_viewers{id="porch"} 2`,
		`camqtt_camera_fps{id="porch"} 5`, `camqtt_camera_bytes_per_second{id="porch"} 1000`,
		`camqtt_camera_captured_total{id="porch"} 1`, `camqtt_camera_sent_total{id="porch"} 2`, `camqtt_camera_snapshots_total{id="porch"} 3`,
		`camqtt_camera_replaced_total{id="porch"} 4`, `camqtt_camera_unsent_total{id="porch"} 5`, `camqtt_camera_broken_total{id="porch"} 6`,
		`camqtt_camera_too_large_total{id="porch"} 7`, `camqtt_camera_reconnects_total{id="porch"} 8`, `camqtt_camera_restarts_total{id="porch"} 9`,
		`camqtt_camera_temperature_celsius{id="porch"} 48.5`,
		`# TYPE camqtt_broker_clients gauge`, `camqtt_broker_clients 3`, `# TYPE camqtt_broker_drops_total counter`, `camqtt_broker_drops_total 4`,
		`# TYPE camqtt_broker_camera_frames_total counter`, `camqtt_broker_camera_frames_total{id="porch"} 11`, `camqtt_broker_camera_frames_total{id="garden"} 12`,
		`camqtt_http_requests_total{code="404",path="other"} 1`, `camqtt_http_requests_total{code="200",path="page"} 1`,
		`camqtt_http_requests_total{code="200",path="/cam/{id}/snapshot.jpg"} 1`, `camqtt_http_requests_total{code="400",path="/cam/{id}/snapshot.jpg"} 1`,
		`camqtt_http_websockets 1`, `camqtt_http_streams 0`, `camqtt_ready 1`, `go_goroutines `,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s in /metrics", want)
		}
	}
	for _, bad := range []string{`camqtt_camera_sent_total{id="garden"}`, "bad name", "WRONG", "nothing-at-all", "made-up", "camqtt_broker_camera_frames_total 15", `camqtt_broker_clients{`} {
		if strings.Contains(body, bad) {
			t.Errorf("%q in /metrics", bad)
		}
	}
}
