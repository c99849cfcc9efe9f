package dashboard

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"camqtt/internal/testkit"
	"camqtt/internal/testkit/faketime"
)

// dialWS opens a WebSocket as a browser or a program would.
func dialWS(t testing.TB, s *served, header ...string) (*websocket.Conn, *http.Response, error) {
	t.Helper()
	h := http.Header{"Sec-Websocket-Protocol": {"mqtt"}}
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
		if header[i+1] == "" {
			h.Del(header[i])
		}
	}
	ws, resp, err := (&websocket.Dialer{HandshakeTimeout: testkit.Patience}).Dial("ws://"+s.addr+"/mqtt", h)
	if err == nil {
		t.Cleanup(func() { ws.Close() })
		_ = ws.SetReadDeadline(time.Now().Add(testkit.Patience))
	}
	return ws, resp, err
}

func mustDialWS(t testing.TB, s *served, header ...string) *websocket.Conn {
	t.Helper()
	ws, _, err := dialWS(t, s, header...)
	if err != nil {
		t.Fatal(err)
	}
	return ws
}

func TestWebSocketDoor(t *testing.T) {
	s := serve(t, Options{Origins: []string{"https://ha.example"}})
	for name, c := range map[string]struct {
		header []string
		status int
		text   string
	}{
		"no browser":        {nil, 101, ""},
		"own page":          {[]string{"Origin", "http://" + s.addr}, 101, ""},
		"own page, proxied": {[]string{"Host", "ha.example", "Origin", "https://ha.example"}, 101, ""},
		"listed":            {[]string{"Origin", "https://ha.example", "Sec-Fetch-Site", "cross-site"}, 101, ""},
		"foreign":           {[]string{"Origin", "https://evil.example"}, 403, "origins"},
		"sandboxed":         {[]string{"Origin", "null"}, 403, "origins"},
		"other port":        {[]string{"Origin", "http://127.0.0.1:1"}, 403, "origins"},
		"rebound":           {[]string{"Host", "evil.example", "Origin", "http://evil.example"}, 421, "origins"},
		"no sub-protocol":   {[]string{"Sec-Websocket-Protocol", ""}, 400, "sub-protocol"},
		"MQTT 3.1":          {[]string{"Sec-Websocket-Protocol", "mqttv3.1"}, 101, "mqttv3.1"},
		"other":             {[]string{"Sec-Websocket-Protocol", "chat"}, 400, "Sec-WebSocket-Protocol: mqtt"},
		"several":           {[]string{"Sec-Websocket-Protocol", "mqttv3.1, mqtt"}, 101, ""},
	} {
		t.Run(name, func(t *testing.T) {
			ws, resp, err := dialWS(t, s, c.header...)
			if resp == nil {
				t.Fatal(err)
			}
			if resp.StatusCode != c.status {
				t.Fatalf("status %d, want %d", resp.StatusCode, c.status)
			}
			if c.status != 101 {
				if body, _ := io.ReadAll(resp.Body); !strings.Contains(string(body), c.text) {
					t.Errorf("answer %q, want it to contain %q", body, c.text)
				}
				return
			}
			if want := cmp.Or(c.text, "mqtt"); ws.Subprotocol() != want {
				t.Errorf("sub-protocol %q, want %s", ws.Subprotocol(), want)
			}
			if ext := resp.Header.Get("Sec-Websocket-Extensions"); ext != "" {
				t.Errorf("extensions %q, want none: JPEG does not compress", ext)
			}
		})
	}
	resp, body := ask(t, "GET", s.url+"/mqtt")
	wantAnswer(t, resp, body, 426, "WebSocket")
}

func TestWebSocketLimit(t *testing.T) {
	s := serve(t, Options{Limits: Limits{Sockets: 1}})
	ws := mustDialWS(t, s)
	if _, resp, err := dialWS(t, s); err == nil || resp.StatusCode != 503 {
		t.Fatalf("second WebSocket: %v, want 503", err)
	}
	ws.Close()
	testkit.Until(t, "the place is free", func() bool {
		_, _, err := dialWS(t, s)
		return err == nil
	})
}

func TestBytesAreNotMessages(t *testing.T) {
	got := make(chan []byte, 1)
	s := serve(t, Options{Attach: func(_ context.Context, c net.Conn) error {
		defer c.Close()
		b := make([]byte, 10)
		_, err := io.ReadFull(c, b)
		got <- b
		_, _ = c.Write([]byte("one packet"))
		_, _ = c.Write(bytes.Repeat([]byte("x"), 70000))
		return err
	}})
	ws := mustDialWS(t, s)
	for _, part := range []string{"ab", "", "c", "defghij"} {
		if err := ws.WriteMessage(websocket.BinaryMessage, []byte(part)); err != nil {
			t.Fatal(err)
		}
	}
	if b := <-got; string(b) != "abcdefghij" {
		t.Errorf("read %q, want abcdefghij", b)
	}
	for _, want := range []int{10, 70000} {
		kind, b, err := ws.ReadMessage()
		if err != nil || kind != websocket.BinaryMessage || len(b) != want {
			t.Errorf("message of kind %d, %d bytes, %v: want one binary message of %d", kind, len(b), err, want)
		}
	}
}

func TestTextAndTooLongMessagesEndTheSocket(t *testing.T) {
	for name, c := range map[string]struct {
		kind, size, code int
	}{
		"text":     {websocket.TextMessage, 4, websocket.CloseUnsupportedData},
		"too long": {websocket.BinaryMessage, 1001, websocket.CloseMessageTooBig},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, Options{Limits: Limits{MessageBytes: 1000}})
			ws := mustDialWS(t, s)
			if err := ws.WriteMessage(c.kind, make([]byte, c.size)); err != nil {
				t.Fatal(err)
			}
			_, _, err := ws.ReadMessage()
			var closed *websocket.CloseError
			if !errors.As(err, &closed) || closed.Code != c.code {
				t.Errorf("%v, want close code %d", err, c.code)
			}
		})
	}
}

func TestPingsAreAnswered(t *testing.T) {
	ws := mustDialWS(t, serve(t, Options{}))
	ponged := make(chan string, 1)
	ws.SetPongHandler(func(data string) error { ponged <- data; return nil })
	go func() { // ends with the connection
		for {
			if _, _, err := ws.ReadMessage(); err != nil {
				return
			}
		}
	}()
	if err := ws.WriteControl(websocket.PingMessage, []byte("hi"), time.Now().Add(testkit.Patience)); err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-ponged:
		if got != "hi" {
			t.Errorf("pong %q, want hi", got)
		}
	case <-time.After(testkit.Patience):
		t.Error("no pong")
	}
}

// On fake time: a client that is slow to answer would be taken for dead.
func TestPingsAreSent(t *testing.T) {
	faketime.Run(t, func(t *testing.T) {
		pipes := testkit.NewPipes()
		d, err := New(Options{Listener: pipes, Attach: echo, Viewer: newFake(), Log: quietLog(), Limits: Limits{Ping: time.Second}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- d.Serve(ctx) }() // ends with ctx
		dialer := websocket.Dialer{NetDialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return pipes.Dial(ctx) }}
		ws, _, err := dialer.DialContext(ctx, "ws://localhost/mqtt", http.Header{"Sec-Websocket-Protocol": {"mqtt"}})
		if err != nil {
			t.Fatal(err)
		}
		defer ws.Close()
		pings := 0
		answer := ws.PingHandler()
		ws.SetPingHandler(func(data string) error {
			pings++
			return answer(data)
		})
		go func() { // ends when an hour is over
			time.Sleep(time.Hour)
			_ = ws.Close()
		}()
		begun := time.Now()
		_, _, err = ws.ReadMessage()
		if lived := time.Since(begun); lived < time.Hour || pings < 3599 || pings > 3600 {
			t.Errorf("%d pings in %s, wanted one a second for an hour: %v", pings, lived, err)
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve() = %v", err)
		}
	})
}

func TestDeadPeerIsNoticed(t *testing.T) {
	ended := make(chan error, 1)
	s := serve(t, Options{Limits: Limits{Ping: 20 * time.Millisecond}, Attach: func(_ context.Context, c net.Conn) error {
		defer c.Close()
		_, err := c.Read(make([]byte, 1))
		ended <- err
		return err
	}})
	mustDialWS(t, s) // never reads, so it never answers a ping
	select {
	case err := <-ended:
		if err == nil {
			t.Error("a peer that answers no ping was read from without an error")
		}
	case <-time.After(testkit.Patience):
		t.Error("a peer that answers no ping was not noticed")
	}
}

func TestCloseIsTheEndOfTheStream(t *testing.T) {
	ended := make(chan error, 1)
	s := serve(t, Options{Attach: func(_ context.Context, c net.Conn) error {
		defer c.Close()
		_, err := c.Read(make([]byte, 1))
		ended <- err
		if _, again := c.Read(make([]byte, 1)); !errors.Is(again, err) {
			t.Errorf("second Read() = %v, want %v again", again, err)
		}
		return err
	}})
	ws := mustDialWS(t, s)
	_ = ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(testkit.Patience))
	if err := <-ended; err != io.EOF {
		t.Errorf("Read() = %v, want io.EOF", err)
	}
	if _, _, err := ws.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseNormalClosure) {
		t.Errorf("the close was answered with %v, want 1000", err)
	}
}

// framed is what a broker asks of a connection to frame packets itself.
type framed interface {
	net.Conn
	Line() net.Conn
	AppendHead(dst []byte, n int) []byte
	Bind(control func(frame []byte) error)
}

// TestABoundSocketNeverWrites lets every kind of control frame arise while a broker
// has the line: all must go through the function that Bind was given.
func TestABoundSocketNeverWrites(t *testing.T) {
	for name, ping := range map[string]time.Duration{"pong and close": 0, "ping": 10 * time.Millisecond} {
		t.Run(name, func(t *testing.T) { boundSocket(t, ping) })
	}
}

// boundSocket looks for pings if they come before the connection is taken for dead,
// which it soon is, and for the rest if they do not.
func boundSocket(t *testing.T, ping time.Duration) {
	var mu sync.Mutex
	var frames [][]byte
	bound, over := make(chan struct{}), make(chan struct{})
	s := serve(t, Options{Limits: Limits{Ping: ping, MessageBytes: 100}, Attach: func(_ context.Context, c net.Conn) error {
		defer c.Close()
		f, ok := c.(framed)
		if !ok {
			t.Error("the connection does not let a broker frame")
			return nil
		}
		if _, ok := f.Line().(*net.TCPConn); !ok {
			t.Errorf("the line is a %T, want what the kernel writes to", f.Line())
		}
		f.Bind(func(frame []byte) error {
			mu.Lock()
			defer mu.Unlock()
			frames = append(frames, bytes.Clone(frame))
			return nil
		})
		if _, err := c.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Write() on a bound socket = %v, want net.ErrClosed", err)
		}
		close(bound)
		_, err := io.Copy(io.Discard, c)
		close(over)
		return err
	}})
	ws := mustDialWS(t, s)
	<-bound
	has := func(first byte) func() bool {
		return func() bool {
			mu.Lock()
			defer mu.Unlock()
			for _, f := range frames {
				if f[0] == first && len(f) == 2+int(f[1]) {
					return true
				}
			}
			return false
		}
	}
	if ping > 0 {
		testkit.Until(t, "a ping was handed over", has(0x89))
		return
	}
	_ = ws.WriteControl(websocket.PingMessage, []byte("hi"), time.Now().Add(testkit.Patience))
	testkit.Until(t, "a pong was handed over", has(0x8a))
	_ = ws.WriteMessage(websocket.BinaryMessage, make([]byte, 101))
	<-over
	testkit.Until(t, "the close was handed over", has(0x88))
	if kind, b, err := ws.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseAbnormalClosure) {
		t.Errorf("the browser got %d %q %v, want nothing: only the broker writes", kind, b, err)
	}
}

// TestAFramingBroker writes packets as a broker does, control frames between them.
func TestAFramingBroker(t *testing.T) {
	s := serve(t, Options{Attach: func(_ context.Context, c net.Conn) error {
		defer c.Close()
		f, _ := c.(framed)
		control := make(chan []byte, 4)
		f.Bind(func(frame []byte) error { control <- bytes.Clone(frame); return nil })
		go func() { // ends with the connection
			_, _ = io.Copy(io.Discard, f)
			close(control)
		}()
		payload := bytes.Repeat([]byte("p"), 100000)
		for i := range 3 {
			b := net.Buffers{f.AppendHead(nil, len(payload)), payload}
			if _, err := b.WriteTo(f.Line()); err != nil {
				return err
			}
			if i == 1 {
				_, _ = f.Line().Write(<-control)
			}
		}
		<-control // the browser has gone
		return nil
	}})
	ws := mustDialWS(t, s)
	pong := ""
	ws.SetPongHandler(func(data string) error { pong = data; return nil })
	_ = ws.WriteControl(websocket.PingMessage, []byte("between"), time.Now().Add(testkit.Patience))
	for range 3 {
		if _, b, err := ws.ReadMessage(); err != nil || len(b) != 100000 {
			t.Fatalf("%d bytes, %v: want packets of 100000", len(b), err)
		}
	}
	if pong != "between" {
		t.Errorf("pong %q, want it to arrive between packets", pong)
	}
	ws.Close()
}

func TestBrowserAddressIsGivenToTheBroker(t *testing.T) {
	from := make(chan string, 1)
	s := serve(t, Options{Attach: func(_ context.Context, c net.Conn) error {
		from <- c.RemoteAddr().String()
		return c.Close()
	}})
	mustDialWS(t, s, "X-Forwarded-For", "203.0.113.9")
	if got := <-from; got != "203.0.113.9:0" {
		t.Errorf("the broker sees %s, want what the proxy on this machine says", got)
	}
}
