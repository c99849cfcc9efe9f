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
