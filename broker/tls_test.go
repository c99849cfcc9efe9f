package broker

import (
	"crypto/tls"
	"io"
	"net"
	"testing"
	"time"
)

// TestSlowHandshake begins TLS and falls silent: the connection is closed when the
// time for CONNECT is over, and another client is served meanwhile.
func TestSlowHandshake(t *testing.T) {
	pair, pool := certificate(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	b := start(t, Options{
		Listeners: []net.Listener{NewTLSListener(l, &tls.Config{Certificates: []tls.Certificate{pair}})},
		Limits:    Limits{ConnectTime: 500 * time.Millisecond},
	})
	for name, first := range map[string]string{"silence": "", "half a hello": "\x16\x03\x01\x02\x00\x01\x00", "plain MQTT": "\x10\x0e\x00\x04MQTT\x04\x02\x00\x3c\x00\x02xx"} {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(c, first)
		other, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: pool, ServerName: "localhost"})
		if err != nil {
			t.Errorf("%s: another client: %v", name, err)
		} else {
			_ = other.Close()
		}
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := io.Copy(io.Discard, c); err != nil { // until it is closed from there
			t.Errorf("%s: %v, want the connection closed", name, err)
		}
		_ = c.Close()
	}
	until(t, "all are gone", func() bool { return b.Stats().Clients == 0 && len(b.connections()) == 0 })
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
		_ = c.SetDeadline(time.Now().Add(10 * time.Second))
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
