package run_test

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"camqtt/internal/run"
	"camqtt/internal/testkit"
)

// systemd is a socket that hears what systemd would.
type systemd struct {
	t    *testing.T
	sock *net.UnixConn
}

// notify serves n as systemd's child, with a watchdog of 30 ms unless it is "", until
// the test ends or stop is called, which returns Serve's error.
func notify(t *testing.T, watchdog string, n run.Notify) (s *systemd, stop func() error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	sock, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sock.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", watchdog)
	t.Setenv("WATCHDOG_PID", "")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- n.Serve(ctx) }() // ends with cancel
	return &systemd{t, sock}, func() error { cancel(); return <-done }
}

// hear returns the next message, "" when there is none within limit.
func (s *systemd) hear(limit time.Duration) string {
	s.t.Helper()
	b := make([]byte, 100)
	_ = s.sock.SetReadDeadline(time.Now().Add(limit))
	n, err := s.sock.Read(b)
	var timeout net.Error
	if err != nil && (!errors.As(err, &timeout) || !timeout.Timeout()) {
		s.t.Fatal(err)
	}
	return string(b[:n])
}

func (s *systemd) want(what string) {
	s.t.Helper()
	if got := s.hear(testkit.Patience); got != what {
		s.t.Fatalf("said %q, want %q", got, what)
	}
}

func TestNotifiesSystemd(t *testing.T) {
	s, stop := notify(t, "30000", run.Notify{})
	s.want("READY=1")
	s.want("WATCHDOG=1")
	if err := stop(); err != nil {
		t.Error(err)
	}
	for got := s.hear(testkit.Patience); got != "STOPPING=1"; got = s.hear(testkit.Patience) {
		if got != "WATCHDOG=1" {
			t.Fatalf("said %q, want WATCHDOG=1 or STOPPING=1", got)
		}
	}
}

func TestNotifiesWithoutWatchdog(t *testing.T) {
	s, stop := notify(t, "", run.Notify{})
	s.want("READY=1")
	if err := stop(); err != nil {
		t.Error(err)
	}
	s.want("STOPPING=1")
}

// TestReadyWhenAllAnswer holds a check back: systemd hears nothing until it answers.
func TestReadyWhenAllAnswer(t *testing.T) {
	answer, asked := make(chan struct{}), make(chan struct{}, 100)
	s, stop := notify(t, "", run.Notify{Checks: []run.Check{{Name: "slow", Alive: func(ctx context.Context) error {
		asked <- struct{}{}
		select {
		case <-answer:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}}}})
	<-asked
	if got := s.hear(50 * time.Millisecond); got != "" {
		t.Errorf("said %q before the check had answered", got)
	}
	close(answer)
	s.want("READY=1")
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// TestHangingIsNotAlive hangs one of two checks: the watchdog is not fed until it
// answers again.
func TestHangingIsNotAlive(t *testing.T) {
	var hangs atomic.Bool
	gaveUp := make(chan struct{}, 1000)
	fine := run.Check{Name: "fine", Alive: func(context.Context) error { return nil }}
	s, stop := notify(t, "30000", run.Notify{Checks: []run.Check{fine, {Name: "stuck", Alive: func(ctx context.Context) error {
		if !hangs.Load() {
			return nil
		}
		<-ctx.Done()
		gaveUp <- struct{}{}
		return ctx.Err()
	}}}})
	s.want("READY=1")
	s.want("WATCHDOG=1")
	hangs.Store(true)
	<-gaveUp
	for s.hear(50*time.Millisecond) != "" { // said before it hung
	}
	for range 5 {
		<-gaveUp
	}
	if got := s.hear(50 * time.Millisecond); got != "" {
		t.Errorf("said %q while a part hangs", got)
	}
	hangs.Store(false)
	s.want("WATCHDOG=1")
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// TestNoSystemd asks nobody and ends when told.
func TestNoSystemd(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	n := run.Notify{Checks: []run.Check{{Name: "x", Alive: func(context.Context) error { t.Error("asked"); return nil }}}}
	if err := n.Serve(ctx); err != nil {
		t.Error(err)
	}
}
