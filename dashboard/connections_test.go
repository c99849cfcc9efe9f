package dashboard

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"camqtt/dashboard/internal/connlimit"
	"camqtt/internal/testkit"
	"camqtt/internal/viewer"
	"camqtt/internal/wire"
)

// Connections that are only kept open keep nothing out; where requests are served on all,
// the next one is told so, and the log and a counter say it.
func TestConnectionsThatAreFull(t *testing.T) {
	var log testkit.Output
	f := newFake()
	f.snap = func(ctx context.Context, _ wire.ID, _ viewer.Ask) (viewer.Picture, error) {
		<-ctx.Done()
		return viewer.Picture{}, ctx.Err()
	}
	s := serve(t, Options{Viewer: f, Log: slog.New(slog.NewTextHandler(&log, nil)), Limits: Limits{Connections: 8}})
	get := func(c net.Conn) (*http.Response, error) {
		if _, err := io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: "+s.addr+"\r\n\r\n"); err != nil {
			return nil, err
		}
		_ = c.SetReadDeadline(time.Now().Add(testkit.Patience))
		return http.ReadResponse(bufio.NewReader(c), nil)
	}
	var idle []net.Conn
	for i := range 30 {
		c, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if i%2 == 0 { // one request, then kept open
			if resp, err := get(c); err != nil || resp.StatusCode != http.StatusOK {
				t.Fatalf("connection %d: %v", i, err)
			}
		}
		idle = append(idle, c)
	}
	_ = idle[0].SetReadDeadline(time.Now().Add(testkit.Patience))
	if _, err := idle[0].Read(make([]byte, 1)); err == nil {
		t.Error("the oldest idle connection has something to say")
	}
	testkit.Until(t, "8 are open, all of them idle", func() bool {
		return s.open.Counts() == connlimit.Counts{Open: 8, Idle: 8, TurnedAway: 22}
	})
	for range 8 {
		defer rawGet(t, s.addr, "/cam/porch/snapshot.jpg").Close()
	}
	testkit.Until(t, "a request is served on each", func() bool { return s.pictures.waiting.taken.Load() == 8 })
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	resp, err := get(c)
	if err != nil || resp.StatusCode != http.StatusServiceUnavailable {
		t.Fatalf("one more: %v, %v; want 503", resp, err)
	}
	if text := log.String(); !strings.Contains(text, "connection refused, too many are open") || !strings.Contains(text, "idle connection closed") {
		t.Errorf("the log says\n%s", text)
	}
	if n := s.open.Counts().TurnedAway; n != 31 {
		t.Errorf("%d are counted as turned away, want 31", n)
	}
}

// TLS on a plain port, and a plain request on a TLS port, are each named in the log.
func TestWrongProtocolIsNamed(t *testing.T) {
	var log testkit.Output
	s := serve(t, Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	if c, err := tls.Dial("tcp", s.addr, &tls.Config{InsecureSkipVerify: true}); err == nil {
		_ = c.Close()
		t.Fatal("a plain port spoke TLS")
	}
	testkit.Until(t, "a line in the log", func() bool { return strings.Contains(log.String(), "TLS was spoken to a plain port") })
	fmt.Fprintln(errorLog{limited: s.limited, log: s.opts.Log}, "http: TLS handshake error from 192.0.2.1:4000: client sent an HTTP request to an HTTPS server")
	if text := log.String(); !strings.Contains(text, "no TLS was spoken to a TLS port") || !strings.Contains(text, "from=192.0.2.1:4000") {
		t.Errorf("the log says\n%s", text)
	}
}
