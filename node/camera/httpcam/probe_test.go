package httpcam

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"camqtt/internal/testkit/cameratest"
	"camqtt/node/camera"
	"camqtt/node/camera/httpcam/board"
)

// Each firmware is found by its host, with the sources to write, by one picture at
// most and without its stream.
func TestProbe(t *testing.T) {
	for name, tt := range map[string]struct {
		kind    board.Kind
		change  func(*espBoard)
		name    string
		sources []string // behind the host
		sizes   int
		note    string
		asked   int
	}{
		"CameraWebServer":   {board.CameraWebServer, nil, "ESP32 CameraWebServer OV2640", []string{"/", "/capture", "+1/stream"}, 10, "whichever fits; now 320x240", 3},
		"easytarget":        {board.Easytarget, nil, "Shed (esp32-cam-webserver)", []string{"/", "/capture", ":81/"}, 10, "whichever fits; now 320x240", 3},
		"Tasmota":           {board.Tasmota, nil, "Tasmota", []string{"/", "/wc.jpg", "+1/cam.mjpeg"}, 0, "whichever fits; now 320x240", 2},
		"ESPHome stream":    {board.ESPHome, nil, "ESPHome", []string{"/"}, 1, "a stream: one viewer at a time", 1},
		"ESPHome snapshots": {board.ESPHome, func(b *espBoard) { b.noStream = true }, "ESPHome", []string{"/"}, 1, "a picture for each request", 1},
	} {
		t.Run(name, func(t *testing.T) {
			cameratest.LeaksSoon(t)
			b := newESP(t, tt.kind)
			b.grab = time.Millisecond
			if tt.change != nil {
				tt.change(b)
			}
			addr := b.listen()
			host, port, _ := net.SplitHostPort(strings.TrimPrefix(addr, "http://"))
			found, err := Probe(t.Context(), net.JoinHostPort(host, port))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for i, f := range found {
				got = append(got, f.Source)
				if f.Same != (i > 0) {
					t.Errorf("%s: the same camera as the one before: %t", f.Source, f.Same)
				}
				if f.Kind != string(tt.kind) || f.Name != tt.name || f.Note == "" || len(f.Sizes) < min(tt.sizes, 1) {
					t.Errorf("found %+v", f)
				}
				if _, err := openSource(f.Source, camera.Options{}); err != nil {
					t.Errorf("%q is no source: %v", f.Source, err)
				}
			}
			next := (&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: mustPort(t, port) + 1}).String()
			var want []string
			for _, s := range tt.sources {
				s = strings.Replace("http://"+host+":"+port+s, host+":"+port+"+1", next, 1)
				want = append(want, strings.Replace(s, host+":"+port+":81", host+":81", 1))
			}
			if strings.Join(got, " ") != strings.Join(want, " ") {
				t.Errorf("sources %q, want %q", got, want)
			}
			if len(found[0].Sizes) < tt.sizes || !strings.Contains(found[0].Note, tt.note) {
				t.Errorf("sizes %v, note %q", found[0].Sizes, found[0].Note)
			}
			if l := b.log(); len(l) != tt.asked || strings.Contains(strings.Join(l, " "), "81 ") {
				t.Errorf("asked %q", l)
			}
			cameratest.Eventually(t, "the board has no viewer", func() bool { return b.watching() == 0 })
		})
	}
}

// A host without a port is looked at on the ports that boards have, all within a
// bound, also when nothing answers or somebody else has the one place.
func TestProbePorts(t *testing.T) {
	for name, tt := range map[string]struct {
		port  string
		busy  bool
		hang  bool
		found string
		text  string
	}{
		"on 80":        {"80", false, false, "http://esp32/", ""},
		"on 8080":      {"8080", false, false, "http://esp32:8080/", ""},
		"busy on 8081": {"8081", true, false, "", "did not answer within 5s"},
		"nowhere":      {"9999", false, false, "", "no camera found at esp32, nor on its ports 8080, 8081, 81: connect to camera http://esp32: connect to esp32:80: connection refused"},
		"hangs":        {"80", false, true, "", "did not answer within 5s"},
	} {
		t.Run(name, func(t *testing.T) {
			withESP(t, board.ESPHome, func(b *espBoard) { b.port = tt.port }, func(t *testing.T, b *espBoard) {
				if tt.busy {
					defer b.viewer("http://esp32:" + tt.port + "/")()
				}
				if tt.hang {
					b.tasks[0] <- struct{}{}
					defer func() { <-b.tasks[0] }()
				}
				start := time.Now()
				found, err := probeHost(t.Context(), "esp32", b.client())
				if time.Since(start) > probeTimeout {
					t.Errorf("took %v", time.Since(start))
				}
				if tt.found != "" && (err != nil || len(found) != 1 || found[0].Source != tt.found) {
					t.Errorf("found %+v, %v, want %s", found, err, tt.found)
				}
				if tt.found == "" && (err == nil || !strings.Contains(err.Error(), tt.text) || strings.Contains(err.Error(), "\n")) {
					t.Errorf("found %+v, %v, want %q", found, err, tt.text)
				}
			})
		})
	}
}

func mustPort(t *testing.T, s string) int {
	t.Helper()
	a, err := net.ResolveTCPAddr("tcp", "127.0.0.1:"+s)
	if err != nil {
		t.Fatal(err)
	}
	return a.Port
}

// Any address that gives pictures is recognised, and for any other it is said
// what it is instead.
func TestProbeOthers(t *testing.T) {
	pic := cameratest.Drawn(t, 1)
	srv := cameratest.Serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/snap.cgi":
			if user, password, _ := r.BasicAuth(); user != "admin" || password != "geheim" {
				w.Header().Set("WWW-Authenticate", `Basic realm="cam"`)
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			w.Header().Set("Content-Type", "image/jpeg")
			_, _ = w.Write(pic)
		case "/video":
			w.Header().Set("Content-Type", "multipart/x-mixed-replace; boundary=x")
			_, _ = w.Write(pic)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		case "/hang":
			<-r.Context().Done()
		default:
			_, _ = io.WriteString(w, "<html>a router</html>")
		}
	})
	at := strings.TrimPrefix(srv.URL, "http://")
	for host, want := range map[string]camera.Found{
		"http://admin:geheim@" + at + "/snap.cgi?c=1": {Source: "http://admin:***@" + at + "/snap.cgi?c=***", Name: at, Kind: "generic", Note: "a picture for each request", Sizes: []camera.Size{{Width: 64, Height: 48}}},
		at + "/video#discard=1":                       {Source: srv.URL + "/video#discard=1", Name: at, Kind: "generic", Note: "a stream", Sizes: []camera.Size{{Width: 64, Height: 48}}},
	} {
		got, err := Probe(t.Context(), host)
		if err != nil || len(got) != 1 || got[0].Source != want.Source || got[0].Name != want.Name || got[0].Kind != want.Kind || got[0].Note != want.Note || len(got[0].Sizes) != 1 || got[0].Sizes[0] != want.Sizes[0] {
			t.Errorf("Probe(%s) = %+v, %v, want %+v", host, got, err, want)
		}
	}
	for host, want := range map[string]struct {
		code camera.Code
		text string
	}{
		at:                     {camera.Config, "answers with text/html"},
		at + "/snap.cgi":       {camera.Config, "wants a user and a password"},
		cameratest.Refusing(t): {camera.NoCamera, "connection refused"},
		"ftp://x":              {camera.Config, "want a host such as 192.168.1.20"},
		"":                     {camera.Config, "want a host such as"},
		"a b":                  {camera.Config, "want a host such as"},
		"u:geheim@a b":         {camera.Config, `address "***": want a host such as`},
	} {
		if got, err := Probe(t.Context(), host); err == nil || len(got) > 0 || camera.CodeOf(err) != want.code || !strings.Contains(err.Error(), want.text) {
			t.Errorf("Probe(%q) = %+v, %v (%s), want %s with %q", host, got, err, camera.CodeOf(err), want.code, want.text)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if got, err := Probe(ctx, at+"/hang"); camera.CodeOf(err) != camera.Stalled || len(got) > 0 {
		t.Errorf("Probe of what hangs = %+v, %v", got, err)
	}
}
