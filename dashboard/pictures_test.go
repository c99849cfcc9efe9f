package dashboard

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"camqtt/internal/access"
	"camqtt/internal/jpeg"
	"camqtt/internal/mqttclient"
	"camqtt/internal/testkit"
	"camqtt/internal/viewer"
	"camqtt/internal/wire"
)

func TestSnapshot(t *testing.T) {
	f := newFake()
	var got viewer.Ask
	take := f.snap
	f.snap = func(ctx context.Context, id wire.ID, a viewer.Ask) (viewer.Picture, error) {
		got = a
		return take(ctx, id, a)
	}
	s := serve(t, Options{Viewer: f})
	url := s.url + "/cam/porch/snapshot.jpg?max_age=5s&size=640x480&quality=80&_=123"
	resp, body := ask(t, "GET", url)
	if resp.StatusCode != 200 || body != "\xff\xd8picture\xff\xd9" {
		t.Fatalf("GET = %d %q", resp.StatusCode, body)
	}
	if want := (viewer.Ask{MaxAge: 5 * time.Second, Size: wire.Size{Width: 640, Height: 480}, Quality: 80}); got != want {
		t.Errorf("asked for %+v, want %+v", got, want)
	}
	h := resp.Header
	if h.Get("Content-Type") != "image/jpeg" || h.Get("Cache-Control") != "no-store" || h.Get("X-Camqtt-Seq") != "7" {
		t.Errorf("headers %v: want image/jpeg, no-store and seq 7", h)
	}
	age, err := strconv.Atoi(h.Get("X-Camqtt-Age-Ms"))
	if err != nil || age < 1500 || age > 60000 {
		t.Errorf("age %q, want 1500 or a little more", h.Get("X-Camqtt-Age-Ms"))
	}
	if at, err := http.ParseTime(h.Get("Last-Modified")); err != nil || time.Since(at) > time.Minute {
		t.Errorf("Last-Modified %q: %v", h.Get("Last-Modified"), err)
	}
	before := got
	got = viewer.Ask{}
	head, none := ask(t, "HEAD", url)
	if head.StatusCode != 200 || none != "" || head.Header.Get("Content-Type") != "image/jpeg" {
		t.Errorf("HEAD = %d, %d bytes, %v", head.StatusCode, len(none), head.Header)
	}
	if got == before {
		t.Error("HEAD had a picture taken")
	}
	if head, _ := ask(t, "HEAD", s.url+"/cam/nosuch/snapshot.jpg"); head.StatusCode != 404 {
		t.Errorf("HEAD of a camera that is not there = %d, want 404", head.StatusCode)
	}
}

func TestSnapshotOfACameraWhoseClockIsAhead(t *testing.T) {
	f := newFake()
	f.snap = func(context.Context, wire.ID, viewer.Ask) (viewer.Picture, error) {
		return viewer.Picture{JPEG: []byte("x"), At: time.Now().Add(time.Hour)}, nil
	}
	s := serve(t, Options{Viewer: f})
	if resp, _ := ask(t, "GET", s.url+"/cam/porch/snapshot.jpg"); resp.Header.Get("X-Camqtt-Age-Ms") != "0" {
		t.Errorf("age %q, want 0", resp.Header.Get("X-Camqtt-Age-Ms"))
	}
}

func TestSnapshotErrors(t *testing.T) {
	refused := func(c wire.Code) error {
		return &viewer.Refused{Result: wire.Result{Code: c, Text: "because of " + string(c)}}
	}
	for name, c := range map[string]struct {
		path   string
		err    error
		status int
		again  string
		text   string
	}{
		"unknown camera":   {path: "attic/snapshot.jpg", status: 404, text: "garden, offline-one, porch"},
		"bad id":           {path: "Porch/snapshot.jpg", status: 400, text: "want only a-z"},
		"long id":          {path: "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/snapshot.jpg", status: 400, text: "at most 32"},
		"encoded slash":    {path: "a%2fb/snapshot.jpg", status: 400, text: "want only"},
		"everybody":        {path: "_all/snapshot.jpg", status: 400, text: "letter or a digit"},
		"max_age":          {path: "porch/snapshot.jpg?max_age=soon", status: 400, text: "max_age: duration"},
		"size":             {path: "porch/snapshot.jpg?size=big", status: 400, text: "WIDTHxHEIGHT"},
		"quality":          {path: "porch/snapshot.jpg?quality=101", status: 400, text: "1 to 100"},
		"timeout 0":        {path: "porch/snapshot.jpg?timeout=0", status: 400, text: "at most 30s"},
		"timeout too long": {path: "porch/snapshot.jpg?timeout=31s", status: 400, text: "at most 30s"},
		"offline":          {path: "offline-one/snapshot.jpg", status: 504, text: "offline"},
		"no answer":        {path: "porch/snapshot.jpg", err: fmt.Errorf("%w from porch", viewer.ErrNoAnswer), status: 504, text: "did not answer"},
		"link down":        {path: "porch/snapshot.jpg", err: fmt.Errorf("publish: %w", mqttclient.ErrDown), status: 503, again: "2", text: "not connected"},
		"huge picture":     {path: "porch/snapshot.jpg", err: fmt.Errorf("the picture is not passed on: %w", jpeg.ErrHuge), status: 502, text: "not passed on: JPEG too large"},
		"something else":   {path: "porch/snapshot.jpg", err: errors.New("odd"), status: 502, text: "odd"},
		"privacy":          {path: "porch/snapshot.jpg", err: refused(wire.Privacy), status: 403, text: "because of privacy"},
		"no_camera":        {path: "porch/snapshot.jpg", err: refused(wire.NoCamera), status: 503, again: "10", text: "because"},
		"camera_busy":      {path: "porch/snapshot.jpg", err: refused(wire.CameraBusy), status: 503, again: "10", text: "because"},
		"stalled":          {path: "porch/snapshot.jpg", err: refused(wire.Stalled), status: 503, again: "5", text: "because"},
		"busy":             {path: "porch/snapshot.jpg", err: refused(wire.Busy), status: 503, again: "1", text: "because"},
		"timeout":          {path: "porch/snapshot.jpg", err: refused(wire.Timeout), status: 504, text: "because"},
		"too_large":        {path: "porch/snapshot.jpg", err: refused(wire.TooLarge), status: 502, text: "because"},
		"bad_argument":     {path: "porch/snapshot.jpg", err: refused(wire.BadArgument), status: 400, text: "because"},
		"unsupported":      {path: "porch/snapshot.jpg", err: refused(wire.Unsupported), status: 400, text: "because"},
		"expired":          {path: "porch/snapshot.jpg", err: refused(wire.Expired), status: 502, text: "because"},
		"stream refused":   {path: "porch/stream.mjpg", err: refused(wire.Privacy), status: 403, text: "because of privacy"},
		"stream busy":      {path: "porch/stream.mjpg", err: refused(wire.CameraBusy), status: 503, again: "10", text: "because"},
		"stream offline":   {path: "offline-one/stream.mjpg", status: 504, text: "offline"},
		"stream unknown":   {path: "attic/stream.mjpg", status: 404, text: "porch"},
		"stream fps":       {path: "porch/stream.mjpg?fps=0", status: 400, text: "fps"},
		"stream size":      {path: "porch/stream.mjpg?size=1", status: 400, text: "size"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			f.cams = []viewer.Camera{online("garden"), {ID: "offline-one", Status: wire.Offline}, online("porch")}
			f.snap = func(context.Context, wire.ID, viewer.Ask) (viewer.Picture, error) { return viewer.Picture{}, c.err }
			f.watch = func(context.Context, wire.ID, viewer.Live, func(viewer.Picture) error) error { return c.err }
			s := serve(t, Options{Viewer: f, Log: quietLog()})
			resp, body := ask(t, "GET", s.url+"/cam/"+c.path)
			wantAnswer(t, resp, body, c.status, c.text)
			if got := resp.Header.Get("Retry-After"); got != c.again {
				t.Errorf("Retry-After %q, want %q", got, c.again)
			}
			if got := resp.Header.Get("Content-Type"); got != "text/plain; charset=utf-8" {
				t.Errorf("Content-Type %q, want plain text", got)
			}
		})
	}
}

// A battery camera may take 12 s to answer, and its source waits 20 s.
func TestSnapshotWaitsForSlowCamera(t *testing.T) {
	f := newFake()
	left := make(chan time.Duration, 1)
	f.snap = func(ctx context.Context, _ wire.ID, _ viewer.Ask) (viewer.Picture, error) {
		end, _ := ctx.Deadline()
		left <- time.Until(end)
		return viewer.Picture{}, viewer.ErrNoAnswer
	}
	s := serve(t, Options{Viewer: f})
	ask(t, "GET", s.url+"/cam/porch/snapshot.jpg")
	if got := <-left; got < 20*time.Second {
		t.Errorf("a snapshot waits %s for the camera, want more than the 20 s of its source", got)
	}
}

// A camera that says that it needs more time gets it.
func TestSnapshotOfASlowCamera(t *testing.T) {
	f := newFake()
	c, _ := f.Camera("porch")
	c.Info.SnapTimeout = 0.5
	f.set(c)
	f.snap = func(ctx context.Context, _ wire.ID, _ viewer.Ask) (viewer.Picture, error) {
		select {
		case <-ctx.Done():
			return viewer.Picture{}, ctx.Err()
		case <-time.After(200 * time.Millisecond): // longer than the limit of the dashboard
			return viewer.Picture{JPEG: testkit.JPEG(t, 32, 32, 1, 0), At: time.Now()}, nil
		}
	}
	s := serve(t, Options{Viewer: f, Limits: Limits{SnapTimeout: 20 * time.Millisecond}})
	if resp, body := ask(t, "GET", s.url+"/cam/porch/snapshot.jpg"); resp.StatusCode != 200 {
		t.Errorf("%d %s, want the picture", resp.StatusCode, body)
	}
}

func TestSnapshotTimeout(t *testing.T) {
	f := newFake()
	ended := make(chan struct{})
	f.snap = func(ctx context.Context, _ wire.ID, _ viewer.Ask) (viewer.Picture, error) {
		<-ctx.Done()
		close(ended)
		return viewer.Picture{}, ctx.Err()
	}
	s := serve(t, Options{Viewer: f})
	resp, body := ask(t, "GET", s.url+"/cam/porch/snapshot.jpg?timeout=20ms")
	wantAnswer(t, resp, body, 504, "porch did not answer in time", "online")
	<-ended // nobody waits for it any more, so it must not go on
}

func TestSnapshotLimit(t *testing.T) {
	f := newFake()
	release := make(chan struct{})
	f.snap = func(context.Context, wire.ID, viewer.Ask) (viewer.Picture, error) {
		<-release
		return viewer.Picture{JPEG: []byte("x"), At: time.Now()}, nil
	}
	s := serve(t, Options{Viewer: f, Limits: Limits{Snapshots: 1}})
	first := make(chan int, 1)
	go func() { // ends with the request
		resp, _ := ask(t, "GET", s.url+"/cam/porch/snapshot.jpg")
		first <- resp.StatusCode
	}()
	testkit.Until(t, "one request waits", func() bool { return s.pictures.waiting.taken.Load() == 1 })
	resp, body := ask(t, "GET", s.url+"/cam/porch/snapshot.jpg")
	wantAnswer(t, resp, body, 503, "limit")
	close(release)
	if got := <-first; got != 200 {
		t.Errorf("first request got %d, want 200", got)
	}
}

// panicky is an Access that breaks on whoever says who he is.
type panicky struct{}

func (panicky) Identify(_ context.Context, at access.Attempt) (access.Principal, error) {
	if at.User != "" {
		panic("boom")
	}
	return access.Principal{Role: access.Anyone}, nil
}

func (panicky) Lookup(string) (access.Principal, bool) { return access.Principal{}, false }

func (panicky) Bind(ctx context.Context, _ access.Principal) (context.Context, context.CancelFunc) {
	return context.WithCancel(ctx)
}

func TestPanicCostsOneRequest(t *testing.T) {
	f := newFake()
	f.snap = func(context.Context, wire.ID, viewer.Ask) (viewer.Picture, error) { panic("boom") }
	f.watch = func(context.Context, wire.ID, viewer.Live, func(viewer.Picture) error) error { panic("boom") }
	s := serve(t, Options{
		Viewer: f, Log: quietLog(), Base: "cam",
		Broker: func() []Counter { return nil },
		Access: panicky{},
	})
	for _, path := range []string{"/cam/porch/snapshot.jpg", "/cam/porch/stream.mjpg"} {
		resp, body := ask(t, "GET", s.url+path)
		wantAnswer(t, resp, body, 502, "fault in the program")
	}
	resp, body := ask(t, "GET", s.url+"/", "Authorization", "Basic Ym9vbTp4")
	wantAnswer(t, resp, body, 500, "fault in the program")
	resp, body = ask(t, "GET", s.url+"/api/cameras")
	wantAnswer(t, resp, body, 200, "porch")
}
