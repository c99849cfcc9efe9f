package push_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"camqtt/internal/testkit"
	"camqtt/node/camera"
	"camqtt/node/camera/push"
)

const (
	sketchHead = "--RandomNerdTutorials\r\nContent-Disposition: form-data; name=\"imageFile\"; filename=\"esp32-cam.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n"
	sketchTail = "\r\n--RandomNerdTutorials--\r\n"
)

// sketch is what the widely copied ESP32-CAM sketch sends: blocks of 1024 bytes,
// of which it forgets the last when the picture is a multiple of that.
func sketch(path string, jpeg []byte) [][]byte {
	parts := [][]byte{
		fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: bridge\r\nContent-Length: %d\r\nContent-Type: multipart/form-data; boundary=RandomNerdTutorials\r\n\r\n",
			path, len(sketchHead)+len(jpeg)+len(sketchTail)),
		[]byte(sketchHead),
	}
	for n := 0; n < len(jpeg); n += 1024 {
		if n+1024 < len(jpeg) {
			parts = append(parts, jpeg[n:n+1024])
		} else if rest := len(jpeg) % 1024; rest > 0 {
			parts = append(parts, jpeg[n:n+rest])
		}
	}
	return append(parts, []byte(sketchTail))
}

// padded is a picture of exactly so many bytes: a comment fills it up.
func padded(t *testing.T, jpeg []byte, size int) []byte {
	t.Helper()
	fill := size - len(jpeg) - 4
	if fill < 0 || fill > 65533 {
		t.Fatalf("a picture of %d bytes cannot become one of %d", len(jpeg), size)
	}
	b := append([]byte{0xff, 0xd8, 0xff, 0xfe, byte((fill + 2) >> 8), byte(fill + 2)}, make([]byte, fill)...)
	return append(b, jpeg[2:]...)
}

// TestSketch sends what the sketch sends, to the path it has, and keeps the
// connection open as it does until the answer has come.
func TestSketch(t *testing.T) {
	s := start(t, nil)
	for name, path := range map[string]string{"by address": "/upload.php", "by id": "/push/gate"} {
		jpeg := padded(t, s.jpeg, len(s.jpeg)/1024*1024+3072+17)
		c := s.dial(s.http)
		for _, p := range sketch(path, jpeg) {
			if _, err := c.Write(p); err != nil {
				t.Fatal(err)
			}
		}
		// The sketch waits for what follows a blank line.
		var got []byte
		for b := make([]byte, 4096); !strings.Contains(string(got), "\r\n\r\nok\n"); {
			n, err := c.Read(b)
			if got = append(got, b[:n]...); err != nil {
				t.Fatalf("%s: answer %q, then %v", name, got, err)
			}
		}
		if !strings.HasPrefix(string(got), "HTTP/1.1 200 OK\r\n") {
			t.Errorf("%s: answer %q", name, got)
		}
		s.expect(&s.gate, jpeg)
	}
}

// TestSketchFault sends a picture of which the sketch forgets the last block.
func TestSketchFault(t *testing.T) {
	bubble(t, nil, func(t *testing.T, s *server) {
		jpeg := padded(t, s.jpeg, (len(s.jpeg)/1024+2)*1024)
		answer := s.raw(s.http, true, sketch("/upload.php", jpeg)...)
		if !strings.HasPrefix(answer, "HTTP/1.1 408 ") || !strings.Contains(answer, "the last 1024 bytes never came") {
			t.Errorf("answer %q", answer)
		}
		if !strings.Contains(s.log.String(), "a known fault of a sketch") {
			t.Error("the log does not say what is wrong with the sketch")
		}
		s.expect(&s.gate)
		s.raw(s.http, true, sketch("/upload.php", padded(t, s.jpeg, len(jpeg)+1))...)
		if len(s.gate.take()) != 1 {
			t.Error("the next picture was not taken")
		}
	})
}

// TestWaysToSend uses curl for every way to send a picture and a token.
func TestWaysToSend(t *testing.T) {
	curl := testkit.Tool(t, "curl")
	s := start(t, nil)
	file := filepath.Join(t.TempDir(), "p.jpg")
	zeros := filepath.Join(t.TempDir(), "z.jpg")
	for path, b := range map[string][]byte{file: s.jpeg, zeros: append(bytes.Clone(s.jpeg), 0, 0, 0)} {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	url := "http://" + s.http
	for name, args := range map[string][]string{
		"bearer":        {"-H", "Authorization: Bearer " + token, "--data-binary", "@" + file, "-H", "Content-Type: image/jpeg", url + "/push/bell"},
		"x-token":       {"-H", "X-Token: " + token, "--data-binary", "@" + file, url + "/push/bell"},
		"path":          {"--data-binary", "@" + file, url + "/push/bell/" + token},
		"path, slash":   {"--data-binary", "@" + file, url + "/push/bell/" + token + "/"},
		"query":         {"--data-binary", "@" + file, url + "/push/bell?token=" + token},
		"put":           {"-T", file, url + "/push/bell/" + token},
		"chunked":       {"-T", file, "-H", "Transfer-Encoding: chunked", url + "/push/bell/" + token},
		"expects":       {"--data-binary", "@" + file, "-H", "Expect: 100-continue", url + "/push/bell/" + token},
		"form":          {"-F", "imageFile=@" + file, url + "/push/bell/" + token},
		"form, field":   {"-F", "name=porch", "-F", "picture=@" + file + ";type=image/jpeg", url + "/push/bell/" + token},
		"http 1.0":      {"-0", "--data-binary", "@" + file, url + "/push/bell/" + token},
		"zeros behind":  {"--data-binary", "@" + zeros, url + "/push/bell/" + token},
		"zeros in form": {"-F", "imageFile=@" + zeros, url + "/push/bell/" + token},
	} {
		out, stderr, status := testkit.Run(t, curl, append([]string{"-sS", "--fail-with-body", "-X", method(args)}, args...)...)
		if status != 0 || string(out) != "ok\n" {
			t.Errorf("%s: exit %d, answer %q %s", name, status, out, stderr)
		}
		s.expect(&s.bell, s.jpeg)
	}
}

func method(args []string) string {
	if args[0] == "-T" {
		return "PUT"
	}
	return "POST"
}

// TestNotTaken sends what must be refused, each with its status, and checks that
// no answer is empty and no picture is taken.
func TestNotTaken(t *testing.T) {
	s := start(t, func(o *push.Options) { o.MaxBytes = 60_000 })
	form := func(body string) []byte {
		return post("/push/gate", "Content-Type: multipart/form-data; boundary=x\r\n", []byte(body))
	}
	big := bytes.Repeat([]byte("x"), 100<<10)
	for name, c := range map[string]struct {
		send   []byte
		status int
		text   string
	}{
		"get":              {[]byte("GET /push/gate HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n"), 405, "POST or PUT"},
		"empty":            {post("/push/gate", "", nil), 400, "not exactly one JPEG"},
		"text":             {post("/push/gate", "", []byte("hello, I am no picture")), 400, "not a JPEG"},
		"half":             {post("/push/gate", "", s.jpeg[:len(s.jpeg)/2]), 400, "truncated"},
		"two":              {post("/push/gate", "", append(bytes.Clone(s.jpeg), s.another...)), 400, "follow its end"},
		"half, then end":   {post("/push/gate", "", s.jpeg)[:len(s.jpeg)/2], 400, "broke off"},
		"too large":        {post("/push/gate", "", append(bytes.Clone(s.jpeg), big[:50<<10]...)), 413, "push.max_bytes"},
		"much too large":   {post("/push/gate", "", bytes.Repeat(big, 3)), 413, "push.max_bytes"},
		"form, nothing":    {form("--x--\r\n"), 400, "no picture in the form"},
		"form, no picture": {form("--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n--x--\r\n"), 400, `only "a"`},
		"form, garbage":    {form("--x\r\nContent-Disposition: form-data; name=\"imageFile\"\r\n\r\nno picture\r\n--x--\r\n"), 400, "not a JPEG"},
		"form, cut":        {form("--x\r\nContent-Disposition: form-data; name=\"imageFile\"\r\n\r\nno pic"), 400, "no form"},
		"form, rubbish":    {form(strings.Repeat("\r\n\x00\xff--x", 300)), 400, ""},
		"no boundary":      {post("/push/gate", "Content-Type: multipart/form-data\r\n", s.jpeg), 400, "boundary"},
		"no HTTP":          {[]byte("\x16\x03\x01\x00\x00\r\n\r\n"), 400, ""},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, s.raw(s.http, false, c.send), c.status, c.text)
		})
	}
	s.expect(&s.gate)
	for _, c := range []struct {
		err    error
		status int
		text   string
	}{
		{camera.ErrClosed, 503, "privacy"},
		{camera.ErrBusy, 503, "send again later"},
		{fmt.Errorf("%w: raise max_image_bytes", camera.ErrTooLarge), 413, "max_image_bytes"},
		{fmt.Errorf("%w: data is missing", camera.ErrDamaged), 400, "data is missing"},
	} {
		s.gate.answer(c.err)
		refused(t, s.raw(s.http, false, post("/push/gate", "", s.jpeg)), c.status, c.text)
		if answer := s.raw(s.tcp, false, []byte("cam/gate\n"), s.jpeg); !strings.Contains(answer, c.text) {
			t.Errorf("over TCP: %q, want %q", answer, c.text)
		}
	}
	counted := map[string]uint64{}
	for _, r := range s.push.Refused() {
		counted[r.Camera+" "+r.Reason] = r.Count
	}
	for reason, least := range map[string]uint64{"gate request": 8, "gate too_large": 4, "gate damaged": 2, "gate busy": 2, "gate closed": 2} {
		if counted[reason] < least {
			t.Errorf("%d refusals are counted as %q, want %d at least: %v", counted[reason], reason, least, counted)
		}
		_, word, _ := strings.Cut(reason, " ")
		if !strings.Contains(s.log.String(), "cam=gate from=127.0.0.1 reason="+word) {
			t.Errorf("the log has no line about %q", reason)
		}
	}
}

// refused checks an answer.
func refused(t *testing.T, answer string, status int, text string) {
	t.Helper()
	head, body, _ := strings.Cut(answer, "\r\n\r\n")
	if !strings.HasPrefix(head, fmt.Sprintf("HTTP/1.1 %d ", status)) || !strings.Contains(body, text) || body == "" {
		t.Errorf("answer %q, want %d with %q", answer, status, text)
	}
}

// TestNeverEnds sends what has no end: it is answered when the time is over, and not
// waited for any longer.
func TestNeverEnds(t *testing.T) {
	pic := testkit.JPEG(t, 320, 240, 1, 40)
	for name, c := range map[string]struct {
		send   []byte
		after  time.Duration
		status int
		text   string
	}{
		"half, then none": {post("/push/gate", "", pic)[:len(pic)/2], 5 * time.Second, 408, "took too long"},
		"large, chunked":  {[]byte("POST /push/gate HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\n\r\n40000\r\n" + strings.Repeat("x", 0x40000)), 0, 413, "larger"},
		"long head":       {append([]byte("POST /push/gate HTTP/1.1\r\nX: "), bytes.Repeat([]byte("x"), 30<<10)...), 0, 431, ""},
		"slow head":       {[]byte("POST /push/gate HTTP/1.1\r\nHost: b\r\n"), 5 * time.Second, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(o *push.Options) { o.MaxBytes = 60_000 }, func(t *testing.T, s *server) {
				began := time.Now()
				answer := s.raw(s.http, true, c.send)
				if took := time.Since(began); took < c.after || took > c.after+6*time.Second {
					t.Errorf("it took %v, want %v, and 5 s for the rest to come", took, c.after)
				}
				switch {
				case c.status > 0:
					refused(t, answer, c.status, c.text)
				case answer != "" && !strings.HasPrefix(answer, "HTTP/1.1 408 "):
					t.Errorf("answer %q, want none", answer)
				}
				s.expect(&s.gate)
			})
		})
	}
}

// TestDrip keeps sending a byte now and then: it is not enough to stay.
func TestDrip(t *testing.T) {
	s := start(t, func(o *push.Options) { o.Silence, o.Longest = 500*time.Millisecond, time.Second })
	for name, c := range map[string]struct {
		addr  string
		first []byte
	}{
		"http":          {s.http, post("/push/gate", "", s.jpeg)[:200]},
		"http, head":    {s.http, []byte("POST /push/gate HTTP/1.1\r\nX: ")},
		"http, refused": {s.http, post("/push/bell", "", s.jpeg)[:200]},
		"tcp":           {s.tcp, s.jpeg[:100]},
		"tcp, line":     {s.tcp, []byte("cam/gate")},
	} {
		addr, first := c.addr, c.first
		c := s.dial(addr)
		if _, err := c.Write(first); err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() { // ends when the server closes the connection
			defer close(ended)
			for b := make([]byte, 512); ; {
				if _, err := c.Read(b); err != nil {
					return
				}
			}
		}()
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for late := time.After(testkit.Patience); ; {
			select {
			case <-ended:
			case <-tick.C:
				_, _ = c.Write([]byte{0}) // fails once it is over
				continue
			case <-late:
				t.Errorf("%s: a byte now and then keeps the connection open", name)
			}
			break
		}
	}
	s.expect(&s.gate)
}

// TestTLS sends over https.
func TestTLS(t *testing.T) {
	conf, client := certificate(t)
	s := start(t, func(o *push.Options) { o.TLS = conf })
	r, err := client.Post("https://"+s.http+"/push/gate", "image/jpeg", bytes.NewReader(s.jpeg))
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if r.StatusCode != http.StatusOK || r.ProtoMajor != 1 {
		t.Errorf("answer %s %s", r.Proto, r.Status)
	}
	s.expect(&s.gate, s.jpeg)
	if answer := s.raw(s.http, false, post("/push/gate", "", s.jpeg)); strings.Contains(answer, " 200 ") {
		t.Errorf("plain HTTP is taken on the https port: %q", answer)
	}
	s.expect(&s.gate)
}

// TestNew refuses options that would let anybody in, or nobody.
func TestNew(t *testing.T) {
	s := start(t, nil)
	listener := s.listener()
	for name, c := range map[string]struct {
		o    push.Options
		want string
	}{
		"nothing":     {push.Options{}, "are needed"},
		"no port":     {push.Options{Log: testkit.Log(t), Cameras: []push.Camera{{ID: "a", Token: token, Deliver: s.bell.deliver}}}, "are needed"},
		"anybody":     {push.Options{HTTP: listener, Log: testkit.Log(t), Cameras: []push.Camera{{ID: "a", Deliver: s.bell.deliver}}}, "anybody"},
		"bad token":   {push.Options{HTTP: listener, Log: testkit.Log(t), Cameras: []push.Camera{{ID: "a", Token: "a/b/c/d/e", Deliver: s.bell.deliver}}}, "want 8 to 128"},
		"nowhere":     {push.Options{HTTP: listener, Log: testkit.Log(t), Cameras: []push.Camera{{ID: "a", Token: token}}}, "Deliver"},
		"twice":       {push.Options{HTTP: listener, Log: testkit.Log(t), Cameras: []push.Camera{{ID: "a", Token: token, Deliver: s.bell.deliver}, {ID: "a"}}}, "one of its own"},
		"no name":     {push.Options{HTTP: listener, Log: testkit.Log(t), Cameras: []push.Camera{{Token: token, Deliver: s.bell.deliver}}}, "one of its own"},
		"short token": {push.Options{HTTP: listener, Log: testkit.Log(t), Cameras: []push.Camera{{ID: "a", Token: "hunter2", Deliver: s.bell.deliver}}}, "7 bytes"},
	} {
		if _, err := push.New(c.o); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// TestPortFails takes the port away from a running server.
func TestPortFails(t *testing.T) {
	s := start(t, nil)
	l := s.listener()
	p, err := push.New(push.Options{HTTP: l, Log: testkit.Log(t), Cameras: []push.Camera{{ID: "a", Token: token, Deliver: s.bell.deliver}}})
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	ctx, stop := context.WithTimeout(t.Context(), testkit.Patience)
	defer stop()
	if err := p.Serve(ctx); err == nil || ctx.Err() != nil {
		t.Errorf("Serve ended with %v", err)
	}
}
