package httpcam

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"camqtt/internal/testkit/cameratest"
	"camqtt/node/camera"
)

func gzipped(t testing.TB, b []byte) string {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// What is published is told by the bytes of an answer, whatever its head says of
// them. The connection stays open, unless the answer ends with it.
func TestHTTPOddAnswers(t *testing.T) {
	jpg := cameratest.Drawn(t, 1)
	pic, n := string(jpg), len(jpg)
	ok := "HTTP/1.1 200 OK\r\n"
	typed := func(kind string) string {
		return fmt.Sprintf("%sContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", ok, kind, n, pic)
	}
	length := func(n int, body string) string {
		return fmt.Sprintf("%sContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s", ok, n, body)
	}
	packed := gzipped(t, jpg)
	parts := fmt.Sprintf("--b\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n--b--\r\n", n, pic)
	for name, tt := range map[string]struct {
		answer string
		closes bool
	}{
		"no type":                   {fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", ok, n, pic), false},
		"bytes":                     {typed("application/octet-stream"), false},
		"HTML":                      {typed("text/html; charset=utf-8"), false},
		"text":                      {typed("text/plain"), false},
		"PNG":                       {typed("image/png"), false},
		"half a type":               {typed("image"), false},
		"multipart":                 {typed("multipart/x-mixed-replace;boundary=ipcam264"), false},
		"multipart that closes":     {typed("multipart/x-mixed-replace;boundary=ipcam264"), true},
		"video":                     {typed("video/mp4"), false},
		"one part":                  {ok + "Content-Type: multipart/x-mixed-replace; boundary=b\r\n\r\n" + parts, true},
		"one part called JPEG":      {ok + "Content-Type: image/jpeg\r\n\r\n" + parts, true},
		"length too large":          {length(n+5000, pic), false},
		"length far too large":      {length(1<<31, pic), false},
		"several lengths":           {fmt.Sprintf("%sContent-Length: %d\r\nContent-Length: 7\r\n\r\n%s", ok, n, pic), true},
		"length twice":              {fmt.Sprintf("%sContent-Length: %d, %d\r\n\r\n%s", ok, n, n, pic), false},
		"length in words":           {ok + "Content-Length: unknown\r\n\r\n" + pic, true},
		"negative length":           {ok + "Content-Length: -1\r\n\r\n" + pic, true},
		"two images":                {length(2*n, pic+pic), false},
		"zeros behind":              {length(n+300, pic+strings.Repeat("\x00", 300)), false},
		"line ends before":          {length(n+4, "\r\n\r\n"+pic), false},
		"a warning before":          {length(n+29, "Warning: x is not defined<br>"+pic), false},
		"gzip":                      {fmt.Sprintf("%sContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s", ok, len(packed), packed), false},
		"gzip not named":            {length(len(packed), packed), false},
		"gzip named and not there":  {fmt.Sprintf("%sContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s", ok, n, pic), false},
		"chunked":                   {fmt.Sprintf("%sTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", ok, n, pic), false},
		"chunked in HTTP/1.0":       {fmt.Sprintf("HTTP/1.0 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", n, pic), true},
		"chunked and not":           {ok + "Transfer-Encoding: chunked\r\n\r\n" + pic, true},
		"binary transfer":           {fmt.Sprintf("%sContent-Transfer-Encoding: binary\r\nTransfer-Encoding: binary\r\nContent-Length: %d\r\n\r\n%s", ok, n, pic), false},
		"GoAhead":                   {fmt.Sprintf("%sServer: GoAhead\r\nTue, 12 Jun 2012 01:56:34 GMT\r\nContent-Type:image/jpeg\r\nContent-Length:%d\r\n\r\n%s", ok, n, pic), false},
		"blank before the colon":    {fmt.Sprintf("%sContent-Type : image/jpeg\r\nContent-Length : %d\r\n\r\n%s", ok, n, pic), false},
		"line without a colon":      {fmt.Sprintf("%snonsense\r\nContent-Length: %d\r\n\r\n%s", ok, n, pic), false},
		"name that is none":         {fmt.Sprintf("%sX Y(Z): 1\r\nContent-Length: %d\r\n\r\n%s", ok, n, pic), false},
		"folded":                    {fmt.Sprintf("%sContent-Type: multipart/x\r\n ; boundary=b\r\nContent-Length: %d\r\n\r\n%s", ok, n, pic), true},
		"ICY":                       {"ICY 200 OK\r\nContent-Type: image/jpeg\r\n\r\n" + pic, true},
		"no version":                {"HTTP 200 OK\r\n\r\n" + pic, true},
		"small letters":             {"http/1.0 200 ok\r\n\r\n" + pic, true},
		"line feeds only":           {fmt.Sprintf("HTTP/1.1 200 OK\nContent-Type: image/jpeg\nContent-Length: %d\n\n%s", n, pic), false},
		"no reason":                 {fmt.Sprintf("HTTP/1.1 200\r\nContent-Length: %d\r\n\r\n%s", n, pic), false},
		"no blank in front of it":   {fmt.Sprintf("HTTP/1.1 200OK\r\nContent-Length: %d\r\n\r\n%s", n, pic), false},
		"two blanks":                {fmt.Sprintf("HTTP/1.1  200  OK\r\nContent-Length: %d\r\n\r\n%s", n, pic), false},
		"empty line first":          {"\r\n" + length(n, pic), false},
		"no status":                 {fmt.Sprintf("Content-type: image/jpeg\r\nContent-length: %d\r\n\r\n%s", n, pic), true},
		"status as a field":         {"Status: 200 OK\r\nContent-type: image/jpeg\r\n\r\n" + pic, true},
		"no empty line":             {ok + "Content-Type: image/jpeg\r\n" + pic, true},
		"no head":                   {pic, true},
		"no head, parts":            {parts, true},
		"bytes that are no letters": {fmt.Sprintf("%sServer: \xff\x01caf\xe9\r\nContent-Length: %d\r\n\r\n%s", ok, n, pic), false},
		"an interim answer first":   {"HTTP/1.1 102 Processing\r\n\r\n" + length(n, pic), false},
		"created":                   {strings.Replace(length(n, pic), "200 OK", "201 Created", 1), false},
	} {
		t.Run(name, func(t *testing.T) {
			url := raw(t, func(c net.Conn, _ string) {
				for in := bufio.NewReader(c); ; {
					if _, err := io.WriteString(c, tt.answer); err != nil || tt.closes {
						return
					}
					if _, err := http.ReadRequest(in); err != nil {
						return
					}
				}
			})
			s := open(t, url+"/snapshot", camera.Options{})
			for range 2 { // the second time it knows what the first has taught
				for i, f := range cameratest.Take(t, s, camera.Mode{FPS: 100}, 2) {
					if !bytes.Equal(f.JPEG, jpg) {
						t.Errorf("picture %d of %d bytes is another than that of %d", i, len(f.JPEG), n)
					}
				}
			}
		})
	}
}

// Streams are told by their bytes as well, and where they end after each picture
// these come at the rate that is asked.
func TestHTTPOddStreams(t *testing.T) {
	pics := [][]byte{cameratest.Drawn(t, 1), cameratest.Drawn(t, 2), cameratest.Drawn(t, 3), cameratest.Drawn(t, 4)}
	part := func(head string, p []byte) string { return "--b\r\n" + head + "\r\n\r\n" + string(p) + "\r\n" }
	for name, tt := range map[string]struct {
		head string
		part func(p []byte) string
	}{
		"called JPEG":         {"Content-Type: image/jpeg", func(p []byte) string { return part("Content-Type: image/jpeg", p) }},
		"called text":         {"Content-Type: text/html", func(p []byte) string { return part("Content-Type: image/jpeg", p) }},
		"without type":        {"X: y", func(p []byte) string { return part("X: y", p) }},
		"empty by its length": {"Content-Type: multipart/x-mixed-replace\r\nContent-Length: 0", func(p []byte) string { return part("X: y", p) }},
		"parts called HTML": {"Content-Type: multipart/x-mixed-replace", func(p []byte) string {
			return part(fmt.Sprintf("Content-Type: text/html\r\nContent-Length: %d", len(p)), p)
		}},
		"all of it packed": {"Content-Type: multipart/x-mixed-replace", nil},
		"parts packed": {"Content-Type: multipart/x-mixed-replace", func(p []byte) string {
			z := gzipped(t, p)
			return part(fmt.Sprintf("Content-Encoding: gzip\r\nContent-Length: %d", len(z)), []byte(z))
		}},
		"parts packed, no len": {"Content-Type: multipart/x-mixed-replace", func(p []byte) string { return part("Content-Type: image/jpeg", []byte(gzipped(t, p))) }},
		"two images in a part": {"Content-Type: multipart/x-mixed-replace", func(p []byte) string {
			return part(fmt.Sprintf("Content-Length: %d", len(p)+len(pics[0])), slices.Concat(p, pics[0]))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			url := raw(t, func(c net.Conn, _ string) {
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n"+tt.head+"\r\n\r\n")
				if tt.part == nil {
					z := gzip.NewWriter(c)
					for _, p := range pics {
						_, _ = io.WriteString(z, part("X: y", p))
					}
					z.Close()
					return
				}
				for _, p := range pics {
					_, _ = io.WriteString(c, tt.part(p))
				}
			})
			var got [][]byte
			err := open(t, url+"/stream", camera.Options{}).Stream(t.Context(), camera.Mode{FPS: 10}, func(f camera.Frame) { got = append(got, f.JPEG) })
			if camera.CodeOf(err) != camera.NoCamera || !strings.Contains(err.Error(), "ended its stream after 4 pictures") {
				t.Errorf("Stream = %v", err)
			}
			if !slices.EqualFunc(got, pics, bytes.Equal) {
				t.Errorf("got %d pictures, or others than were sent", len(got))
			}
		})
	}
}

// An address whose answers are called a stream and hold one picture is one of
// single pictures: it costs nothing to open, and is asked at the rate that is wanted.
func TestHTTPSnapshotCalledStream(t *testing.T) {
	pic := cameratest.Drawn(t, 1)
	var asked []time.Time
	srv := cameratest.Serve(t, func(w http.ResponseWriter, _ *http.Request) {
		asked = append(asked, time.Now())
		w.Header().Set("Content-Type", "multipart/x-mixed-replace; boundary=b")
		w.Header().Set("Connection", "close")
		_, _ = w.Write(pic)
	})
	s := open(t, srv.URL+"/snapshot", camera.Options{})
	cameratest.Take(t, s, camera.Mode{FPS: 4}, 4)
	if p := s.Profile(); !p.Instant || !slices.Equal(p.Caps, []string{camera.CapFPS}) {
		t.Errorf("profile %+v, want that of single pictures", p)
	}
	if took := asked[3].Sub(asked[0]); took < 700*time.Millisecond {
		t.Errorf("4 pictures were asked for within %v, want 4 a second", took)
	}
}

// A body that was packed is the same however it is cut into reads.
func TestUnpack(t *testing.T) {
	a, b := cameratest.Drawn(t, 1), cameratest.Drawn(t, 2)
	part := "--b\r\nContent-Length: 77\r\nX-Timestamp: 1.5\r\n\r\n"
	bare := "--b\r\nX-Timestamp: 1.5\r\n\r\n"
	for name, tt := range map[string]struct{ in, want string }{
		"picture":        {string(a), string(a)},
		"packed picture": {gzipped(t, a), string(a)},
		"parts":          {part + string(a) + "\r\n" + part + string(b), part + string(a) + "\r\n" + part + string(b)},
		"packed parts":   {part + gzipped(t, a) + "\r\n" + part + gzipped(t, b) + "\r\n", bare + string(a) + "\r\n" + bare + string(b) + "\r\n"},
		"mixed parts":    {part + gzipped(t, a) + "\r\n" + part + string(b) + "\r\n", bare + string(a) + "\r\n" + bare + string(b) + "\r\n"},
		"nothing":        {"", ""},
		"a line":         {"no picture\r\n", "no picture\r\n"},
		"a head only":    {"--b\r\nX: y\r\n", "--b\r\nX: y\r\n"},
	} {
		for way, r := range map[string]io.Reader{
			"whole": strings.NewReader(tt.in), "halves": iotest.HalfReader(strings.NewReader(tt.in)), "bytes": iotest.OneByteReader(strings.NewReader(tt.in)),
		} {
			got, err := io.ReadAll(unpack(r))
			if err != nil || string(got) != tt.want {
				t.Errorf("%s, %s: %d bytes and %v, want %d", name, way, len(got), err, len(tt.want))
			}
		}
	}
}

// FuzzRewriteHead rewrites what a camera may send first. A head that is rewritten is
// one that net/http takes, and the work is bounded.
func FuzzRewriteHead(f *testing.F) {
	for _, s := range []string{
		"HTTP/1.1 200 OK\r\nContent-Type : x\r\n\r\nbody", "ICY 200 OK\n\n", "\xff\xd8\xff\xe0", "--b\r\n", "Status: 404 x\r\n\r\n", "Status:4xx\n\r\n",
		"HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1, 2\r\n x\r\n\r\n5\r\n", "SSH-2.0-x\r\n",
	} {
		f.Add([]byte(s), false)
	}
	f.Fuzz(func(t *testing.T, b []byte, unmeasured bool) {
		whole, done := rewriteHead(b, unmeasured)
		if !done {
			if len(b) > maxHeader {
				t.Fatal("a head of any length is waited for")
			}
			return
		}
		if bytes.Equal(whole, b) {
			return // as it was: net/http says what is wrong
		}
		res, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(whole)), nil)
		if err != nil {
			t.Fatalf("%q became %q: %v", b, whole, err)
		}
		res.Body.Close()
	})
}
