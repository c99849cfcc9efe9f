package httpcam

import (
	"bytes" //nolint:gosec // what RFC 2617 wants
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"camqtt/internal/testkit/cameratest"
	"camqtt/node/camera"
)

// raw is a camera that writes its own HTTP, once for each connection.
func raw(t testing.TB, talk func(c net.Conn, request string)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() { // ends when the listener is closed
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { // ends when talk does: its connection is closed by the client
				defer c.Close()
				var head []byte
				for b := make([]byte, 1); !bytes.HasSuffix(head, []byte("\r\n\r\n")); head = append(head, b[0]) {
					if _, err := c.Read(b); err != nil {
						return
					}
				}
				talk(c, string(head))
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		wg.Wait()
	})
	return "http://" + l.Addr().String()
}

func hold(r *http.Request) { <-r.Context().Done() }

// Each of these is how some camera frames its stream. The pictures must come out
// whole, each as soon as it is in: the server does not send the next before.
func TestHTTPStreams(t *testing.T) {
	pics := [][]byte{cameratest.Drawn(t, 1), cameratest.Drawn(t, 2), cameratest.Drawn(t, 3)}
	half := pics[1][:len(pics[1])/2]
	esp := func(p []byte) string {
		return fmt.Sprintf("\r\n--123456789000000000000987654321\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\nX-Timestamp: 1.000000\r\n\r\n%s", len(p), p)
	}
	tests := map[string]struct {
		contentType string
		begin       string
		part        func(p []byte) string
		http10      bool
	}{
		"boundary first, length":    {"multipart/x-mixed-replace;boundary=123456789000000000000987654321", "", esp, false},
		"HTTP/1.0 until it closes":  {"multipart/x-mixed-replace;boundary=123456789000000000000987654321", "", esp, true},
		"boundary after, no length": {`multipart/x-mixed-replace; boundary="--x y"`, "--x\r\n", func(p []byte) string { return "Content-Type: image/jpeg\r\n\r\n" + string(p) + "\r\n--x\r\n" }, true},
		"no boundary":               {"multipart/x-mixed-replace", "", func(p []byte) string { return fmt.Sprintf("Content-Length:%d\n\n%s", len(p), p) }, false},
		"text parts between": {"multipart/x-mixed-replace;boundary=B", "--B\r\nContent-Type: text/plain\r\n\r\nNo frames send.", func(p []byte) string {
			return esp(p) + "\r\n--B\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\n\xff\xd8\xff\xe0"
		}, false},
		"half pictures between": {"multipart/x-mixed-replace;boundary=B", "", func(p []byte) string { return esp(half) + esp(p) }, false},
		"motion JPEG":           {"video/x-motion-jpeg", "", func(p []byte) string { return string(p) }, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			seen := make(chan struct{}, 1)
			var url string
			talk := func(w io.Writer, flush func()) {
				_, _ = io.WriteString(w, tt.begin)
				for _, p := range pics {
					_, _ = io.WriteString(w, tt.part(p)[:20])
					flush()
					_, _ = io.WriteString(w, tt.part(p)[20:])
					flush()
					select {
					case <-seen:
					case <-time.After(cameratest.Patience):
						return
					}
				}
			}
			if tt.http10 {
				url = raw(t, func(c net.Conn, _ string) {
					fmt.Fprintf(c, "HTTP/1.0 200 OK\r\nContent-Type: %s\r\n\r\n", tt.contentType)
					talk(c, func() {})
				})
			} else {
				url = cameratest.Serve(t, func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Content-Type", tt.contentType)
					talk(w, w.(http.Flusher).Flush)
				}).URL
			}
			s := open(t, url+"/stream", camera.Options{})
			var got [][]byte
			start := time.Now()
			err := s.Stream(t.Context(), camera.Mode{}, func(f camera.Frame) {
				if f.At.Before(start) || f.At.After(time.Now()) {
					t.Errorf("picture %d is of %v", len(got), f.At)
				}
				got = append(got, f.JPEG)
				seen <- struct{}{}
			})
			if camera.CodeOf(err) != camera.NoCamera || !strings.Contains(err.Error(), "ended its stream after 3 pictures") {
				t.Errorf("Stream = %v", err)
			}
			if !slices.EqualFunc(got, pics, bytes.Equal) {
				t.Errorf("got %d pictures, or others than were sent", len(got))
			}
			if p := s.Profile(); p.Instant || len(p.Caps) != 0 {
				t.Errorf("profile of a stream: %+v", p)
			}
		})
	}
}

// A snapshot address is asked at the rate wanted, never twice at once, over one
// connection; At is when it was asked.
func TestHTTPSnapshots(t *testing.T) {
	pic := cameratest.Drawn(t, 1)
	for name, chunked := range map[string]bool{"length": false, "chunked": true} {
		t.Run(name, func(t *testing.T) {
			var asked, busy atomic.Int32
			var peers sync.Map
			srv := cameratest.Serve(t, func(w http.ResponseWriter, r *http.Request) {
				if busy.Add(1) > 1 {
					t.Error("two requests at once")
				}
				defer busy.Add(-1)
				peers.Store(r.RemoteAddr, true)
				asked.Add(1)
				<-time.After(30 * time.Millisecond) // the camera takes its time
				w.Header().Set("Content-Type", "image/jpeg")
				if chunked {
					w.(http.Flusher).Flush()
				}
				_, _ = w.Write(pic)
			})
			cameratest.LeaksSoon(t)
			s := open(t, srv.URL+"/capture", camera.Options{})
			if p := s.Profile(); p.Instant {
				t.Errorf("profile before the first answer: %+v", p)
			}
			start := time.Now()
			frames := cameratest.Take(t, s, camera.Mode{FPS: 10}, 4)
			for i, f := range frames {
				if !bytes.Equal(f.JPEG, pic) {
					t.Errorf("picture %d is another", i)
				}
				if early := start.Add(time.Duration(i) * 100 * time.Millisecond); f.At.Before(early) {
					t.Errorf("picture %d was asked for at %v, want %v or later", i, f.At.Sub(start), early.Sub(start))
				}
			}
			if time.Since(frames[3].At) < 30*time.Millisecond {
				t.Error("At is later than when the request was sent")
			}
			n := 0
			peers.Range(func(any, any) bool { n++; return true })
			if n != 1 {
				t.Errorf("%d connections, want 1", n)
			}
			if p := s.Profile(); !p.Instant || !slices.Equal(p.Caps, []string{camera.CapFPS}) {
				t.Errorf("profile after the first answer: %+v", p)
			}
		})
	}
}

// Half a picture now and then is left out; when there is nothing else it is said.
func TestHTTPHalfSnapshots(t *testing.T) {
	pic := cameratest.Drawn(t, 1)
	var n atomic.Int32
	var always atomic.Bool
	srv := cameratest.Serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "image/jpeg")
		if n.Add(1)%2 == 1 || always.Load() {
			_, _ = w.Write(pic[:len(pic)/2])
			return
		}
		_, _ = w.Write(pic)
	})
	s := open(t, srv.URL, camera.Options{})
	cameratest.Take(t, s, camera.Mode{FPS: 100}, 3)
	always.Store(true)
	e, got := cameratest.Fails(t, s, camera.Mode{FPS: 100})
	if e.Code != camera.Stalled || !strings.Contains(e.Text, "sent 5 pictures in a row that were no whole JPEG") || len(got) != 0 {
		t.Errorf("%s: %q after %d pictures", e.Code, e.Text, len(got))
	}
}

// A picture without length whose connection stays open is complete all the same.
func TestHTTPSnapshotNeverClosed(t *testing.T) {
	pic := cameratest.Drawn(t, 1)
	url := raw(t, func(c net.Conn, _ string) {
		fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-type: image/jpeg\r\n\r\n%s", pic)
		_, _ = io.Copy(io.Discard, c)
	})
	for i, f := range cameratest.Take(t, open(t, url+"/wc.jpg", camera.Options{}), camera.Mode{FPS: 100}, 3) {
		if !bytes.Equal(f.JPEG, pic) {
			t.Errorf("picture %d is another", i)
		}
	}
}

func TestHTTPRefusals(t *testing.T) {
	answer := func(code int, header, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			name, value, _ := strings.Cut(header, ": ")
			w.Header().Set(name, value)
			w.WriteHeader(code)
			_, _ = io.WriteString(w, body)
		}
	}
	big := strings.Repeat("x", 5000)
	for name, tt := range map[string]struct {
		answer http.HandlerFunc
		code   camera.Code
		text   string
	}{
		"web page":    {answer(200, "Content-Type: text/html; charset=utf-8", "<html>"), camera.Config, "answers with text/html: want the address of its stream (multipart/x-mixed-replace)"},
		"PNG":         {answer(200, "Content-Type: image/jpeg", "\x89PNG\r\n\x1a\n"+big), camera.Stalled, "5 pictures in a row that were no whole JPEG: got 5008 bytes that begin with 89 50 4e 47"},
		"named PNG":   {answer(200, "Content-Type: image/png", "\x89PNG\r\n\x1a\n"+big), camera.Config, "answers with image/png: want"},
		"JSON":        {answer(200, "Content-Type: application/json", "[{\n \"error\": \"login first\"\n}]"), camera.NoCamera, `answers and says: [{"error":"login first"}]: want a picture`},
		"XML":         {answer(200, "Content-Type: application/xml", "<?xml version='1.0'?>\n<Status>\n<text>no channel</text></Status>"), camera.NoCamera, "answers and says: no channel: want a picture"},
		"no type":     {answer(200, "Content-Type: ", "snapshot failed\nline 2"), camera.NoCamera, "answers and says: snapshot failed: want a picture"},
		"nothing":     {answer(200, "Content-Type: image/jpeg", ""), camera.Stalled, "answers without a byte of a picture"},
		"no user":     {answer(401, "WWW-Authenticate: Basic realm=x", ""), camera.Config, "answers 401 Unauthorized: it wants a user and a password: http://user:password@host/path"},
		"forbidden":   {answer(403, "Content-Type: text/plain", "go \x1b[1maway\n"), camera.Config, "answers 403 Forbidden and says: go away: it refuses"},
		"not there":   {answer(404, "Content-Type: text/html", "<html>"+big), camera.Config, "answers 404 Not Found: want an address that gives pictures"},
		"not now":     {answer(404, "Content-Type: application/json", `{"status":"error","error":"path not found"}`), camera.NoCamera, `answers 404 Not Found and says: {"status":"error","error":"path not found"}`},
		"busy":        {answer(503, "Content-Type: text/plain", ""), camera.CameraBusy, "answers 503 Service Unavailable"},
		"busy in 200": {answer(200, "Content-Type: text/plain", "Camera is already in use by 10.0.0.7"), camera.CameraBusy, "answers and says: Camera is already in use by 10.0.0.7"},
		"broken":      {answer(500, "Content-Type: text/plain", big), camera.Stalled, "answers 500 Internal Server Error and says: xxx"},
		"no content":  {answer(204, "X: y", ""), camera.NoCamera, "answers 204 No Content: want 200"},
		"elsewhere":   {answer(302, "Location: http://a:geheim@localhost:1/x", ""), camera.Config, "answers 302 Found: it sends us on to http://localhost:1/***, which is not followed"},
		"no JPEG":     {answer(200, "Content-Type: multipart/x-mixed-replace;boundary=x", "--x\r\nContent-Type: image/png\r\n\r\nxyz"), camera.NoCamera, `ended its stream after 0 pictures; it sent 35 bytes that begin with "--x Content-Type: ***", but no whole JPEG`},
		"too large":   {answer(200, "Content-Type: image/jpeg", string(cameratest.Drawn(t, 1))), camera.Stalled, "want one whole picture of at most 500 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			cameratest.LeaksSoon(t)
			srv := httptest.NewServer(tt.answer)
			defer srv.Close()
			e, got := cameratest.Fails(t, open(t, srv.URL+"/s?password=hush", camera.Options{MaxPicture: 500}), camera.Mode{FPS: 100})
			if e.Code != tt.code || !strings.Contains(e.Text, tt.text) || len(got) > 0 {
				t.Errorf("%s: %q, want %s with %q", e.Code, e.Text, tt.code, tt.text)
			}
			if strings.Contains(e.Text, "hush") || strings.Contains(e.Text, "geheim") || len(e.Text) > 800 {
				t.Errorf("text %q", e.Text)
			}
		})
	}
}

func TestHTTPUnreachable(t *testing.T) {
	closed := cameratest.Refusing(t)
	https := httptest.NewTLSServer(http.NotFoundHandler())
	defer https.Close()
	https.Config.ErrorLog = nil
	plain := cameratest.Serve(t, func(http.ResponseWriter, *http.Request) {})
	closes := raw(t, func(c net.Conn, _ string) { c.Close() })
	for source, want := range map[string]struct {
		code camera.Code
		text string
	}{
		"http://a:geheim@" + closed + "/":              {camera.NoCamera, "connection refused"},
		"http://no-such-host.invalid/":                 {camera.NoCamera, "no-such-host.invalid"},
		https.URL:                                      {camera.Config, "certificate"},
		strings.Replace(plain.URL, "http", "https", 1): {camera.Config, "does not speak https: want http://"},
		closes: {camera.NoCamera, "connect to camera " + closes + ": EOF"},
	} {
		cameratest.LeaksSoon(t)
		e, _ := cameratest.Fails(t, open(t, source, camera.Options{}), camera.Mode{})
		if e.Code != want.code || !strings.Contains(e.Text, want.text) || strings.Contains(e.Text, "geheim") {
			t.Errorf("%s: %s: %q, want %s with %q", source, e.Code, e.Text, want.code, want.text)
		}
	}
}

// A client whose transport trusts the camera's certificate is used.
func TestHTTPSWithClient(t *testing.T) {
	pic := cameratest.Drawn(t, 1)
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "image/jpeg")
		_, _ = w.Write(pic)
	}))
	defer srv.Close()
	cameratest.Take(t, open(t, srv.URL, camera.Options{HTTPClient: srv.Client()}), camera.Mode{FPS: 50}, 2)
}

// A picture that the camera says is unchanged is not sent again by it.
func TestHTTPUnchanged(t *testing.T) {
	pic := cameratest.Drawn(t, 1)
	full, same := 0, 0
	srv := cameratest.Serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Etag", `"a1"`)
		if r.Header.Get("If-None-Match") == `"a1"` {
			same++
			w.WriteHeader(http.StatusNotModified)
			return
		}
		full++
		w.Header().Set("Content-Type", "image/jpeg")
		_, _ = w.Write(pic)
	})
	frames := cameratest.Take(t, open(t, srv.URL+"/snap.jpg", camera.Options{}), camera.Mode{FPS: 100}, 4)
	for i, f := range frames {
		if !bytes.Equal(f.JPEG, pic) {
			t.Errorf("picture %d is another", i)
		}
		f.JPEG[0] = 0 // each is its holder's own
	}
	if full != 1 || same != 3 {
		t.Errorf("%d pictures sent and %d times said to be unchanged, want 1 and 3", full, same)
	}
	if !frames[3].At.After(frames[0].At) {
		t.Error("At of an unchanged picture is not that of the last request")
	}
}
