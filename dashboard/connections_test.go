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

	"camqtt/internal/testkit"
	"camqtt/internal/viewer"
	"camqtt/internal/wire"
)

// openNow returns how many connections are open.
func (d *Dashboard) openNow() int {
	n, _ := d.open.counts()
	return n
}

// allIdle reports whether so many connections are open, none of which is being served.
func (d *Dashboard) allIdle(want int) func() bool {
	return func() bool {
		d.open.mu.Lock()
		defer d.open.mu.Unlock()
		for _, x := range d.open.all {
			if x.idle.IsZero() {
				return false
			}
		}
		return d.open.turned == 22 && len(d.open.all) == want
	}
}

// caller is a connection from somewhere, which notes that it was closed.
type caller struct {
	net.Conn
	from   string
	closed bool
}

func (v *caller) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.ParseIP(v.from), Port: 4000} }

func (v *caller) Close() error {
	v.closed = true
	return nil
}

// One address, or one /64, holds a quarter of the connections. Idle ones make room for a
// new one of the same address; while requests are served on all of them, a new one is
// refused. This machine is exempt: a proxy on it speaks for others.
func TestConnectionsOfOneAddress(t *testing.T) {
	d := serve(t, Options{Limits: Limits{Connections: 8}}).Dashboard
	for name, c := range map[string]struct {
		first, second, third string
		busy, out            bool // requests are served; the first makes room
		refused              bool
	}{
		"one address":       {"192.0.2.7", "192.0.2.7", "192.0.2.7", false, true, false},
		"one address, busy": {"192.0.2.7", "192.0.2.7", "192.0.2.7", true, false, true},
		"one of three":      {"192.0.2.7", "192.0.2.7", "192.0.2.8", true, false, false},
		"one /64":           {"2001:db8::1", "2001:db8::2", "2001:db8::3", true, false, true},
		"two /64":           {"2001:db8::1", "2001:db8::2", "2001:db8:0:1::3", true, false, false},
		"mapped":            {"192.0.2.7", "::ffff:192.0.2.7", "192.0.2.7", true, false, true},
		"this machine":      {"127.0.0.1", "127.0.0.1", "127.0.0.1", true, false, false},
	} {
		all := []*caller{{from: c.first}, {from: c.second}, {from: c.third}}
		for _, v := range all {
			d.follow(v, http.StateNew)
			if c.busy {
				d.follow(v, http.StateActive)
			}
		}
		if all[0].closed != c.out || d.open.isRefused(all[2]) != c.refused {
			t.Errorf("%s: the first is closed %v, the third refused %v; want %v and %v", name, all[0].closed, d.open.isRefused(all[2]), c.out, c.refused)
		}
		for _, v := range all {
			d.follow(v, http.StateClosed)
		}
	}
	if n := len(d.open.from) + len(d.open.all) + d.open.refused; n != 0 {
		t.Errorf("%d are counted after all have left", n)
	}
}

// Connections that are only kept open keep nothing out; where requests are served on all,
// the next one is told so, and the log and a counter say it.
func TestConnectionsThatAreFull(t *testing.T) {
	var log sink
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
	testkit.Until(t, "8 are open, all of them idle", s.allIdle(8))
	for range 8 {
		defer rawGet(t, s.addr, "/cam/porch/snapshot.jpg").Close()
	}
	testkit.Until(t, "a request is served on each", func() bool { return s.snaps.taken.Load() == 8 })
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
	if _, turned := s.open.counts(); turned != 31 {
		t.Errorf("%d are counted as turned away, want 31", turned)
	}
}

// TLS on a plain port, and a plain request on a TLS port, are each named in the log.
func TestWrongProtocolIsNamed(t *testing.T) {
	var log sink
	s := serve(t, Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	if c, err := tls.Dial("tcp", s.addr, &tls.Config{InsecureSkipVerify: true}); err == nil {
		_ = c.Close()
		t.Fatal("a plain port spoke TLS")
	}
	testkit.Until(t, "a line in the log", func() bool { return strings.Contains(log.String(), "TLS was spoken to a plain port") })
	fmt.Fprintln(errorLog{often: s.often, log: s.opts.Log}, "http: TLS handshake error from 192.0.2.1:4000: client sent an HTTP request to an HTTPS server")
	if text := log.String(); !strings.Contains(text, "no TLS was spoken to a TLS port") || !strings.Contains(text, "from=192.0.2.1:4000") {
		t.Errorf("the log says\n%s", text)
	}
}

func (s *sink) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
