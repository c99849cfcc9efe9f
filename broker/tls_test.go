package broker

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"camqtt/internal/testkit"
	"camqtt/internal/testkit/faketime"
)

// TestSlowHandshake begins TLS and falls silent: the connection is closed when the
// time for CONNECT is over, and another client is served meanwhile.
func TestSlowHandshake(t *testing.T) {
	pair, pool := certificate(t)
	for name, first := range map[string]string{"silence": "", "half a hello": "\x16\x03\x01\x02\x00\x01\x00", "plain MQTT": "\x10\x0e\x00\x04MQTT\x04\x02\x00\x3c\x00\x02xx"} {
		t.Run(name, func(t *testing.T) {
			faketime.Run(t, func(t *testing.T) {
				slowHandshake(t, first, &tls.Config{Certificates: []tls.Certificate{pair}}, &tls.Config{RootCAs: pool, ServerName: "localhost"})
			})
		})
	}
}

func slowHandshake(t *testing.T, first string, server, client *tls.Config) {
	pipes := testkit.NewPipes()
	b, err := New(Options{Listeners: []net.Listener{NewTLSListener(pipes, server)}, Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.Serve(ctx) }() // ends with ctx
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	}()
	begun := time.Now()
	c, err := pipes.Dial(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if first != "" {
		if _, err := io.WriteString(c, first); err != nil {
			t.Fatal(err)
		}
	}
	line, err := pipes.Dial(ctx)
	if err != nil {
		t.Fatal(err)
	}
	other := newClient(tls.Client(line, client))
	defer other.c.Close()
	other.joins(t, "other", 4)
	if d := time.Since(begun); d > 0 {
		t.Errorf("another client waited for %s", d)
	}
	if _, err := io.Copy(io.Discard, c); err != nil { // until it is closed from there
		t.Errorf("%v, want the connection closed", err)
	}
	if d := time.Since(begun); d > b.limits.ConnectTime {
		t.Errorf("closed after %s, wanted %s at most", d, b.limits.ConnectTime)
	}
	synctest.Wait()
	if n := len(b.conns.list()); n != 1 {
		t.Errorf("%d connections, wanted the other client's", n)
	}
}

// TestOtherProtocols asks for another protocol on the port for MQTT: it is served, who
// asks for none or for one that nobody knows gets MQTT, and shutting down ends it.
func TestOtherProtocols(t *testing.T) {
	pair, pool := certificate(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serving := make(chan struct{})
	b := start(t, Options{
		Listeners: []net.Listener{NewTLSListener(l, &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{"echo/1", "mqtt"}})},
		Protocols: map[string]func(*tls.Conn){"echo/1": func(c *tls.Conn) {
			_ = c.SetDeadline(time.Now().Add(time.Minute))
			close(serving)
			_, _ = io.Copy(c, c)
		}},
	})
	dial := func(protocols ...string) *tls.Conn {
		t.Helper()
		c, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{RootCAs: pool, ServerName: "localhost", NextProtos: protocols})
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(testkit.Patience))
		return c
	}
	const hello = "\x10\x0e\x00\x04MQTT\x04\x02\x00\x3c\x00\x02xx"
	answer := func(c *tls.Conn, n int) string {
		t.Helper()
		b := make([]byte, n)
		if _, err := io.WriteString(c, hello); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, b); err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for _, protocols := range [][]string{nil, {"mqtt"}} {
		c := dial(protocols...)
		if got := answer(c, 4); got != "\x20\x02\x00\x00" {
			t.Errorf("protocols %v: %q, want CONNACK", protocols, got)
		}
		_ = c.Close()
	}
	other := dial("echo/1")
	if got := answer(other, len(hello)); got != hello {
		t.Errorf("got %q, want what was sent", got)
	}
	<-serving
	b.stop()
	if _, err := other.Read(make([]byte, 1)); err == nil {
		t.Error("the connection is open after the end")
	}
}
