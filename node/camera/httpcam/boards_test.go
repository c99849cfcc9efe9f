package httpcam

import (
	"context"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"camqtt/internal/jpeg"
	"camqtt/internal/testkit/cameratest"
	"camqtt/internal/testkit/faketime"
	"camqtt/node/camera"
	"camqtt/node/camera/httpcam/board"
)

// withESP runs a test on fake time against a board of a kind. end ends what the
// test's own clients hold.
func withESP(t *testing.T, kind board.Kind, change func(*espBoard), f func(t *testing.T, b *espBoard)) {
	t.Helper()
	faketime.Run(t, func(t *testing.T) {
		b := newESP(t, kind)
		if change != nil {
			change(b)
			b.restart()
		}
		f(t, b)
		time.Sleep(10 * time.Second) // the board finds out that its viewers have gone
	})
}

// openESP is a source at a board's address.
func (b *espBoard) open(source string) camera.Source {
	return open(b.t, source, camera.Options{HTTPClient: b.client()})
}

// viewer is somebody else who watches the stream, until the returned function is
// called.
func (b *espBoard) viewer(addr string) (leave func()) {
	c := b.client()
	res, err := c.Get(addr)
	if err != nil {
		b.t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { // ends when the body is closed
		_, _ = io.Copy(io.Discard, res.Body)
		close(done)
	}()
	return func() {
		res.Body.Close()
		c.CloseIdleConnections()
		<-done
	}
}

// The address of the host alone is enough for every firmware: it is found out by
// few requests, and nobody's place at the stream is taken for single pictures.
func TestBoardsToldApart(t *testing.T) {
	for name, tt := range map[string]struct {
		kind   board.Kind
		change func(*espBoard)
		model  string
		caps   []string
		still  []string // requests of the first snap and of the second
		again  []string
		live   string // the request of a live stream, after a snap
	}{
		"CameraWebServer": {
			board.CameraWebServer, nil, "ESP32 CameraWebServer OV2640",
			[]string{"flash", "fps", "quality", "size", "still"},
			[]string{"80 /", "80 /status", "80 /capture", "80 /capture", "80 /capture", "80 /capture", "80 /capture"},
			[]string{"80 /capture", "80 /capture", "80 /capture"},
			"81 /stream",
		},
		"without lamp": {
			board.CameraWebServer, func(b *espBoard) { b.light, b.buffers = -1, 1 }, "ESP32 CameraWebServer OV2640",
			[]string{"fps", "quality", "size", "still"},
			[]string{"80 /", "80 /status", "80 /capture", "80 /capture", "80 /capture", "80 /capture", "80 /capture"},
			[]string{"80 /capture", "80 /capture"},
			"81 /stream",
		},
		"without stamps": {
			board.CameraWebServer, func(b *espBoard) { b.noStamp, b.buffers = true, 1 }, "ESP32 CameraWebServer OV2640",
			[]string{"flash", "fps", "quality", "size", "still"},
			[]string{"80 /", "80 /status", "80 /capture", "80 /capture"},
			[]string{"80 /capture", "80 /capture"},
			"81 /stream",
		},
		"easytarget": {
			board.Easytarget, func(b *espBoard) { b.buffers = 1 }, "esp32-cam-webserver",
			[]string{"flash", "fps", "quality", "size", "still"},
			[]string{"80 /", "80 /status", "80 /capture", "80 /capture"},
			[]string{"80 /capture", "80 /capture"},
			"81 /",
		},
		"Tasmota": {
			board.Tasmota, nil, "Tasmota",
			[]string{"fps", "still"},
			[]string{"80 /", "80 /wc.jpg"},
			[]string{"80 /wc.jpg"},
			"81 /cam.mjpeg",
		},
		"ESPHome snapshots": {
			board.ESPHome, func(b *espBoard) { b.noStream, b.buffers = true, 1 }, "ESPHome",
			[]string{"fps"},
			[]string{"80 /", "80 /"},
			[]string{"80 /", "80 /"},
			"",
		},
		"ESPHome stream": {
			board.ESPHome, func(b *espBoard) { b.buffers = 1 }, "ESPHome", nil,
			[]string{"80 /"},
			[]string{"80 /"},
			"80 /",
		},
	} {
		t.Run(name, func(t *testing.T) {
			withESP(t, tt.kind, tt.change, func(t *testing.T, b *espBoard) {
				s := b.open("http://esp32/")
				for i, want := range [][]string{tt.still, tt.again} {
					time.Sleep(time.Minute) // its buffers grow old
					asked := time.Now()
					f := cameratest.Take(t, s, camera.Mode{FPS: 10, Still: true}, 1)[0]
					synctest.Wait()
					if got := b.log(); !slices.Equal(got, want) {
						t.Errorf("snap %d: asked %q, want %q", i, got, want)
					}
					if f.At.Before(asked) || b.taken(f.JPEG).Before(f.At) {
						t.Errorf("snap %d: taken %v after it was asked for, At says %v", i, b.taken(f.JPEG).Sub(asked), f.At.Sub(asked))
					}
				}
				p := s.Profile()
				slices.Sort(p.Caps)
				if p.Model != tt.model || !slices.Equal(p.Caps, tt.caps) || p.Instant == (name == "ESPHome stream") {
					t.Errorf("profile %+v", p)
				}
				if tt.live == "" {
					return
				}
				frames := cameratest.Take(t, s, camera.Mode{FPS: 10}, 12)
				synctest.Wait()
				if got := b.log(); got[len(got)-1] != tt.live {
					t.Errorf("live: asked %q, want %q last", got, tt.live)
				}
				for i, f := range frames {
					if late := f.At.Sub(b.taken(f.JPEG)); late > 300*time.Millisecond {
						t.Errorf("live picture %d: At is %v after it was taken", i, late)
					}
				}
				time.Sleep(time.Second) // it finds out when it sends
				if b.watching() != 0 {
					t.Error("the board still has a viewer")
				}
			})
		})
	}
}

// On real ports: a whole visit to a board, whose stream is free for the next
// then; each picture comes while the next has not begun.
func TestBoardOnRealPorts(t *testing.T) {
	b := newESP(t, board.CameraWebServer)
	b.grab, b.held = 5*time.Millisecond, make(chan struct{})
	cameratest.LeaksSoon(t)
	s := open(t, b.listen()+"/", camera.Options{})
	for range 2 {
		n := 0
		err := cameratest.StopAfter(t, s, func(int) bool {
			select { // the board goes on only when what it has sent is here
			case b.held <- struct{}{}:
				n++
			default:
			}
			return n >= 6
		})
		if err != nil {
			t.Errorf("Stream = %v, want nil", err)
		}
		stop := make(chan struct{})
		go func() { // ends with stop
			for {
				select {
				case b.held <- struct{}{}: // it finds its viewer gone when it sends
				case <-stop:
					return
				}
			}
		}()
		cameratest.Eventually(t, "the board has no viewer", func() bool { return b.watching() == 0 })
		close(stop)
	}
}

// Every picture of a stream is there before the board begins with the next, on
// every firmware.
func TestBoardFramesWhole(t *testing.T) {
	for _, kind := range []board.Kind{board.CameraWebServer, board.Easytarget, board.ESPHome, board.Tasmota} {
		t.Run(string(kind), func(t *testing.T) {
			withESP(t, kind, func(b *espBoard) { b.held = make(chan struct{}) }, func(t *testing.T, b *espBoard) {
				addr := map[board.Kind]string{
					board.CameraWebServer: "http://esp32:81/stream", board.Easytarget: "http://esp32:81/#discard=0",
					board.ESPHome: "http://esp32/#discard=0", board.Tasmota: "http://esp32:81/cam.mjpeg",
				}[kind]
				s := b.open(addr)
				ctx, cancel := context.WithCancel(t.Context())
				got := make(chan camera.Frame, 100)
				ended := make(chan error)
				go func() { ended <- s.Stream(ctx, camera.Mode{}, func(f camera.Frame) { got <- f }) }() // ends with ctx
				for n := range 8 {
					select {
					case f := <-got:
						if in, err := jpeg.Scan(f.JPEG); err != nil || in.Len != len(f.JPEG) {
							t.Errorf("picture %d: %v", n, err)
						}
					case <-time.After(time.Second):
						t.Fatalf("picture %d has not come though the board has sent it whole", n)
					}
					b.held <- struct{}{}
				}
				cancelled := time.Now()
				cancel()
				if err := <-ended; err != nil || time.Since(cancelled) > 0 {
					t.Errorf("Stream = %v, %v after it was to end, want nil at once", err, time.Since(cancelled))
				}
				close(b.held)
				time.Sleep(time.Second)
				if b.watching() != 0 {
					t.Error("the board still has a viewer")
				}
			})
		})
	}
}

// While somebody else has the one stream, the host's address gives single
// pictures and says why; the stream's own address does not answer.
func TestBoardBusy(t *testing.T) {
	withESP(t, board.CameraWebServer, nil, func(t *testing.T, b *espBoard) {
		leave := b.viewer("http://esp32:81/stream")
		s := b.open("http://esp32/")
		start := time.Now()
		frames := cameratest.Take(t, s, camera.Mode{FPS: 10}, 8)
		if took := time.Since(start); took > boardTimeout+5*time.Second {
			t.Errorf("8 pictures took %v", took)
		}
		for _, f := range frames {
			if f.At.Before(start) || b.taken(f.JPEG).Before(f.At) {
				t.Errorf("taken at %v, At %v", b.taken(f.JPEG).Sub(start), f.At.Sub(start))
			}
		}
		if w := s.Profile().Warning; !strings.Contains(w, "its stream does not answer") {
			t.Errorf("warning %q", w)
		}
		start = time.Now()
		e, _ := cameratest.Fails(t, b.open("http://esp32:81/stream"), camera.Mode{})
		if e.Code != camera.Stalled || !strings.Contains(e.Text, "did not answer within 20s") || time.Since(start) > answerTimeout+time.Second {
			t.Errorf("%s: %q after %v", e.Code, e.Text, time.Since(start))
		}
		leave()
		cameratest.Take(t, s, camera.Mode{FPS: 10}, 3)
		if w := s.Profile().Warning; w != "" {
			t.Errorf("warning when the stream is free again: %q", w)
		}
		synctest.Wait()
	})
}

// A rate of one a second does not take the board's stream, and At is still near
// the truth.
func TestBoardSlow(t *testing.T) {
	withESP(t, board.CameraWebServer, nil, func(t *testing.T, b *espBoard) {
		s := b.open("http://esp32/")
		time.Sleep(time.Minute)
		for i, f := range cameratest.Take(t, s, camera.Mode{FPS: 1}, 10) {
			if early := b.taken(f.JPEG).Sub(f.At); early < 0 || early > 300*time.Millisecond {
				t.Errorf("picture %d was taken %v after At", i, early)
			}
		}
		if has := slices.ContainsFunc(b.log(), func(l string) bool { return strings.HasPrefix(l, "81") }); has {
			t.Error("the stream was opened for one picture a second")
		}
		synctest.Wait()
	})
}

// What hangs, breaks or says nonsense becomes an error within a bound.
func TestBoardFaults(t *testing.T) {
	for name, tt := range map[string]struct {
		kind   board.Kind
		source string
		change func(*espBoard)
		code   camera.Code
		text   string
		within time.Duration
	}{
		"sensor fails":              {board.CameraWebServer, "http://esp32/", func(b *espBoard) { b.noGrab = true }, camera.Stalled, "answers 500 Internal Server Error", 5 * time.Second},
		"sensor fails in a stream":  {board.CameraWebServer, "http://esp32:81/stream", func(b *espBoard) { b.noGrab = true }, camera.NoCamera, "ended its stream after 0 pictures", time.Second},
		"Tasmota forgets":           {board.Tasmota, "http://esp32/", func(b *espBoard) { b.noGrab = true }, camera.Stalled, "without a byte of a picture", 6 * time.Second},
		"ESPHome has no frames":     {board.ESPHome, "http://esp32/", func(b *espBoard) { b.noGrab = true }, camera.NoCamera, "ended its stream after 0 pictures; it sent", 6 * time.Second},
		"ESPHome takes no snapshot": {board.ESPHome, "http://esp32/#kind=esphome", func(b *espBoard) { b.noGrab, b.noStream = true, true }, camera.Stalled, "answers 500 Internal Server Error", 6 * time.Second},
		"no such port":              {board.CameraWebServer, "http://esp32:8088/", nil, camera.NoCamera, "connection refused", time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			withESP(t, tt.kind, tt.change, func(t *testing.T, b *espBoard) {
				start := time.Now()
				e, got := cameratest.Fails(t, b.open(tt.source), camera.Mode{FPS: 10, Still: true})
				if e.Code != tt.code || !strings.Contains(e.Text, tt.text) || len(got) > 0 || time.Since(start) > tt.within {
					t.Errorf("%s: %q after %v, want %s with %q within %v", e.Code, e.Text, time.Since(start), tt.code, tt.text, tt.within)
				}
			})
		})
	}
}

// An address that was given in full is used as it is; the board behind it is
// recognised for its controls.
func TestBoardRecognised(t *testing.T) {
	for source, want := range map[string][]string{
		"http://esp32/capture":                {"flash", "fps", "quality", "size"},
		"http://esp32:81/stream":              {"flash", "quality", "size"},
		"http://esp32/capture#kind=generic":   {"fps"},
		"http://esp32/capture?x=1":            {"flash", "fps", "quality", "size"},
		"http://esp32:81/stream#kind=esphome": nil,
	} {
		t.Run(source, func(t *testing.T) {
			withESP(t, board.CameraWebServer, func(b *espBoard) { b.size = 1 }, func(t *testing.T, b *espBoard) {
				s := b.open(source)
				cameratest.Take(t, s, camera.Mode{FPS: 10}, 2)
				if p := s.Profile(); !slices.Equal(p.Caps, want) {
					t.Errorf("caps %q, want %q", p.Caps, want)
				}
				if len(want) > 1 {
					f := cameratest.Take(t, s, camera.Mode{FPS: 10, Width: 320, Height: 240}, 1)[0]
					if got := sizeOf(t, f.JPEG); got != (camera.Size{Width: 320, Height: 240}) {
						t.Errorf("picture of %s", got)
					}
				}
				for _, l := range b.log() {
					if strings.HasPrefix(l, "81") != strings.Contains(source, ":81") && !strings.Contains(l, "/status") && !strings.Contains(l, "/control") && !strings.Contains(l, "/capture") {
						t.Errorf("asked %q", l)
					}
				}
				synctest.Wait()
			})
		})
	}
}
