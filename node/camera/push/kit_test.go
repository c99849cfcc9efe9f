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
	"camqtt/internal/testkit/faketime"
	"camqtt/node/camera/push"
)

// token is what must never be seen in a log or an answer.
const token = "hunter2.hunter2"

// shelf keeps what one camera got.
type shelf struct {
	mu     sync.Mutex
	got    [][]byte
	refuse error // what is answered; nil: the picture is taken
}

func (s *shelf) deliver(_ context.Context, jpeg []byte, _ time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse == nil {
		s.got = append(s.got, jpeg)
	}
	return s.refuse
}

func (s *shelf) take() [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	got := s.got
	s.got = nil
	return got
}

// answer sets what becomes of the pictures that follow.
func (s *shelf) answer(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = err
}

// server is a running push server with a camera "bell" that has a token, one
// "gate" that is known by its address, and one "far" whose address is another.
type server struct {
	t             *testing.T
	http, tcp     string // addresses
	connect       func(addr string) (net.Conn, error)
	bell, gate    shelf
	far           shelf
	log           testkit.Output
	jpeg, another []byte
	push          *push.Server
}

// start runs a server on real ports.
func start(t *testing.T, change func(*push.Options)) *server {
	t.Helper()
	s := &server{t: t, connect: func(addr string) (net.Conn, error) { return net.Dial("tcp", addr) }}
	s.serve(s.listener(), s.listener(), func(o *push.Options) {
		o.Silence, o.Longest = testkit.Patience, testkit.Patience // but for tests of what is too slow
		if change != nil {
			change(o)
		}
	})
	return s
}

// bubble runs a test with a server on fake time, whose connections are pipes: its
// own waiting is the only thing that takes time.
func bubble(t *testing.T, change func(*push.Options), f func(t *testing.T, s *server)) {
	t.Helper()
	faketime.Run(t, func(t *testing.T) {
		http, tcp := newPipes(80), newPipes(81)
		s := &server{t: t, connect: func(addr string) (net.Conn, error) {
			if addr == http.Addr().String() {
				return http.dial()
			}
			return tcp.dial()
		}}
		s.serve(http, tcp, change)
		f(t, s)
	})
}

// serve runs the server until the test ends.
func (s *server) serve(http, tcp net.Listener, change func(*push.Options)) {
	s.t.Helper()
	t := s.t
	s.jpeg, s.another = testkit.JPEG(t, 320, 240, 1, 40), testkit.JPEG(t, 64, 48, 2, 0)
	o := push.Options{
		HTTP: http, TCP: tcp,
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
	s.push = p
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
		case <-time.After(testkit.Patience):
			t.Error("the server does not end")
		}
		if strings.Contains(s.log.String(), "hunter2") {
			t.Errorf("the log tells a token:\n%s", s.log.String())
		}
	})
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
func (s *server) dial(addr string) net.Conn {
	s.t.Helper()
	c, err := s.connect(addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(testkit.Patience)); err != nil {
		s.t.Fatal(err)
	}
	return c
}

// raw sends bytes as they are, closes its side unless it is to hang, and returns
// all of the answer.
func (s *server) raw(addr string, hang bool, parts ...[]byte) string {
	s.t.Helper()
	c := s.dial(addr)
	sent := make(chan struct{})
	go func() { // ends when all is sent, or the connection is closed
		defer close(sent)
		for _, p := range parts {
			if _, err := c.Write(p); err != nil {
				break // it may have been refused already: the answer says so
			}
		}
		if c, ok := c.(*net.TCPConn); ok && !hang { // a pipe has no sides to close
			_ = c.CloseWrite() // the same
		}
	}()
	b, _ := io.ReadAll(c) // an answer may be followed by a reset
	c.Close()
	<-sent
	return string(b)
}

// pipes is a listener whose connections are pipes.
type pipes struct {
	port   int
	conns  chan net.Conn
	close  sync.Once
	closed chan struct{}
}

func newPipes(port int) *pipes {
	return &pipes{port: port, conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: p.port} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.close.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) dial() (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case p.conns <- fromHere{far}:
		return near, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// fromHere is a connection that says it comes from this machine.
type fromHere struct{ net.Conn }

func (fromHere) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 50000} }

// post is a request with a body.
func post(path, header string, body []byte) []byte {
	return append(fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: bridge\r\nContent-Length: %d\r\n%sConnection: close\r\n\r\n", path, len(body), header), body...)
}
