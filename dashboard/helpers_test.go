package dashboard

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"camqtt/internal/testkit"
	"camqtt/internal/viewer"
	"camqtt/internal/wire"
)

// fakeViewer knows the cameras it is given and answers as its functions say.
type fakeViewer struct {
	mu   sync.Mutex
	cams []viewer.Camera

	kept    map[wire.ID]viewer.Picture
	keptErr error

	snap   func(context.Context, wire.ID, viewer.Ask) (viewer.Picture, error)
	watch  func(context.Context, wire.ID, viewer.Live, func(viewer.Picture) error) error
	snaps  atomic.Int64
	leases atomic.Int64 // held now
	asked  atomic.Pointer[viewer.Live]
}

func (f *fakeViewer) Kept(_ context.Context, id wire.ID) (viewer.Picture, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p, found := f.kept[id]
	return p, found, f.keptErr
}

func (f *fakeViewer) Still(ctx context.Context, id wire.ID, a viewer.Ask) (viewer.Picture, error) {
	f.snaps.Add(1)
	return f.snap(ctx, id, a)
}

func (f *fakeViewer) Watch(ctx context.Context, id wire.ID, l viewer.Live, show func(viewer.Picture) error) error {
	f.leases.Add(1)
	defer f.leases.Add(-1)
	f.asked.Store(&l)
	return f.watch(ctx, id, l, show)
}

func (f *fakeViewer) Cameras() []viewer.Camera {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]viewer.Camera(nil), f.cams...)
}

func (f *fakeViewer) Camera(id wire.ID) (viewer.Camera, bool) {
	for _, c := range f.Cameras() {
		if c.ID == id {
			return c, true
		}
	}
	return viewer.Camera{}, false
}

func (f *fakeViewer) set(c viewer.Camera) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.cams {
		if f.cams[i].ID == c.ID {
			f.cams[i] = c
			return
		}
	}
	f.cams = append(f.cams, c)
}

func online(id wire.ID) viewer.Camera {
	return viewer.Camera{ID: id, Status: wire.Online, Seen: time.Now(), Heard: time.Now()}
}

// newFake knows the cameras porch and garden, both online.
func newFake() *fakeViewer {
	f := &fakeViewer{cams: []viewer.Camera{online("garden"), online("porch")}}
	f.snap = func(context.Context, wire.ID, viewer.Ask) (viewer.Picture, error) {
		return viewer.Picture{JPEG: []byte("\xff\xd8picture\xff\xd9"), At: time.Now().Add(-1500 * time.Millisecond), Meta: wire.Meta{Seq: 7}}, nil
	}
	kept := viewer.Picture{JPEG: []byte("\xff\xd8kept\xff\xd9"), At: time.Now()}
	f.kept = map[wire.ID]viewer.Picture{"porch": kept, "garden": kept}
	f.watch = func(ctx context.Context, _ wire.ID, _ viewer.Live, _ func(viewer.Picture) error) error {
		<-ctx.Done()
		return nil
	}
	return f
}

// every shows a picture at a rate until ctx is done.
func every(d time.Duration, picture func(n int) []byte) func(context.Context, wire.ID, viewer.Live, func(viewer.Picture) error) error {
	return func(ctx context.Context, _ wire.ID, _ viewer.Live, show func(viewer.Picture) error) error {
		tick := time.NewTicker(d)
		defer tick.Stop()
		for n := 0; ; n++ {
			if err := show(viewer.Picture{JPEG: picture(n), At: time.Now()}); err != nil {
				return err
			}
			select {
			case <-ctx.Done():
				return nil
			case <-tick.C:
			}
		}
	}
}

// echo is an Attach that sends back what it gets.
func echo(_ context.Context, c net.Conn) error {
	defer c.Close()
	_, err := io.Copy(struct{ io.Writer }{c}, struct{ io.Reader }{c})
	return err
}

// served is a dashboard that serves on loopback until the test ends.
type served struct {
	*Dashboard
	addr string
	url  string
	stop func() error
}

func serve(t testing.TB, o Options) *served {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o.Listener = l
	if o.Viewer == nil {
		o.Viewer = newFake()
	}
	if o.Attach == nil {
		o.Attach = echo
	}
	if o.Log == nil {
		o.Log = testkit.Log(t)
	}
	d, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.Serve(ctx) }() // ends when stop is called
	s := &served{Dashboard: d, addr: l.Addr().String(), url: "http://" + l.Addr().String()}
	s.stop = sync.OnceValue(func() error {
		cancel()
		select {
		case err := <-done:
			return err
		case <-time.After(testkit.Patience):
			t.Errorf("Serve did not end within %s", testkit.Patience)
			return nil
		}
	})
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Errorf("Serve() = %v", err)
		}
	})
	return s
}

// ask sends one request on a connection of its own.
func ask(t testing.TB, method, url string, header ...string) (*http.Response, string) {
	t.Helper()
	return askWith(t, method, url, "", header...)
}

// askWith is ask with a body.
func askWith(t testing.TB, method, url, content string, header ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest(method, url, strings.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	r.Close = true
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
			continue
		}
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := (&http.Transport{DisableCompression: true}).RoundTrip(r)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	return resp, string(body)
}

func wantAnswer(t testing.TB, resp *http.Response, body string, status int, texts ...string) {
	t.Helper()
	if resp.StatusCode != status {
		t.Errorf("status %d %q, want %d", resp.StatusCode, body, status)
	}
	for _, text := range texts {
		if !strings.Contains(body, text) {
			t.Errorf("answer %q, want it to contain %q", body, text)
		}
	}
}

func quietLog() *slog.Logger { return slog.New(slog.DiscardHandler) }
