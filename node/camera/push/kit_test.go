package push_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"camqtt/internal/testkit"
	"camqtt/node/camera/push"
)

// patience is how long tests wait for what must happen.
const patience = 20 * time.Second

// token is what must never be seen in a log or an answer.
const token = "hunter2.hunter2"

// shelf keeps what one camera got.
type shelf struct {
	mu     sync.Mutex
	got    [][]byte
	closed bool
}

func (s *shelf) deliver(jpeg []byte, _ time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.got = append(s.got, jpeg)
	return true
}

func (s *shelf) take() [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	got := s.got
	s.got = nil
	return got
}

func (s *shelf) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
}

// log keeps what was logged.
type log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// server is a running push server with a camera "bell" that has a token, one
// "gate" that is known by its address, and one "far" whose address is another.
type server struct {
	t             *testing.T
	http, tcp     string // addresses
	bell, gate    shelf
	far           shelf
	log           log
	jpeg, another []byte
}

// hasty makes a server lose its patience soon.
func hasty(o *push.Options) { o.Silence, o.Longest = 400*time.Millisecond, 2*time.Second }

func start(t *testing.T, change func(*push.Options)) *server {
	t.Helper()
	s := &server{t: t, jpeg: testkit.JPEG(t, 320, 240, 1, 40), another: testkit.JPEG(t, 64, 48, 2, 0)}
	listen := func() net.Listener {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	o := push.Options{
		HTTP: listen(), TCP: listen(),
		Log: slog.New(slog.NewTextHandler(io.MultiWriter(&s.log, t.Output()), &slog.HandlerOptions{Level: slog.LevelDebug})),
		Cameras: []push.Camera{
			{ID: "bell", Token: token, Deliver: s.bell.deliver},
			{ID: "gate", From: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, Deliver: s.gate.deliver},
			{ID: "far", From: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, Deliver: s.far.deliver},
		},
	}
	if change != nil {
		change(&o)
	}
	s.http, s.tcp = o.HTTP.Addr().String(), o.TCP.Addr().String()
	p, err := push.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Serve(ctx) }() // ends with stop
	t.Cleanup(func() {
		stop()
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(patience):
			t.Error("the server does not end")
		}
		if strings.Contains(s.log.String(), "hunter2") {
			t.Errorf("the log tells a token:\n%s", s.log.String())
		}
	})
	return s
}

// expect checks that a camera got just these pictures.
func (s *server) expect(of *shelf, want ...[]byte) {
	s.t.Helper()
	got := of.take()
	if len(got) != len(want) {
		s.t.Fatalf("%d pictures were taken, want %d", len(got), len(want))
	}
	for i := range want {
		if !bytes.Equal(got[i], want[i]) {
			s.t.Errorf("picture %d has %d bytes and is another than the %d that were sent", i, len(got[i]), len(want[i]))
		}
	}
}

// dial connects; the connection ends with the test.
func (s *server) dial(addr string) *net.TCPConn {
	s.t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		s.t.Fatal(err)
	}
	return c.(*net.TCPConn)
}

// raw sends bytes as they are, closes its side unless it is to hang, and returns
// all of the answer.
func (s *server) raw(addr string, hang bool, parts ...[]byte) string {
	s.t.Helper()
	c := s.dial(addr)
	for _, p := range parts {
		if _, err := c.Write(p); err != nil {
			break // it may have been refused already: the answer says so
		}
	}
	if !hang {
		_ = c.CloseWrite() // the same
	}
	b, _ := io.ReadAll(c) // an answer may be followed by a reset
	return string(b)
}

// post is a request with a body.
func post(path, header string, body []byte) []byte {
	return append(fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: bridge\r\nContent-Length: %d\r\n%sConnection: close\r\n\r\n", path, len(body), header), body...)
}
