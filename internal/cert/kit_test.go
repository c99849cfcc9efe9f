package cert_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"camqtt/internal/cert"
	"camqtt/internal/testkit"
)

// source makes a source that is kept current until the test ends.
func source(t testing.TB, o cert.Options) *cert.Source {
	t.Helper()
	if o.Log == nil {
		o.Log = testkit.Log(t)
	}
	o.Every = 10 * time.Millisecond
	s, err := cert.NewSource(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// listen serves an echo over TLS on loopback and returns its address.
func listen(t testing.TB, s *cert.Source, o cert.ServerOptions) string {
	t.Helper()
	conf, err := s.Config(o)
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", conf)
	if err != nil {
		t.Fatal(err)
	}
	serveEcho(t, l)
	return l.Addr().String()
}

// serveEcho sends back what comes until the test ends.
func serveEcho(t testing.TB, l net.Listener) {
	t.Cleanup(func() { l.Close() })
	go func() { // ends with the listener
		for {
			c, err := l.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil {
				continue
			}
			go func() { // ends with the client
				defer c.Close()
				_, _ = io.Copy(c, c)
			}()
		}
	}()
}

// talk connects and has one byte echoed: with TLS 1.3 only that shows that the
// server took the client's certificate.
func talk(addr, name string, conf *tls.Config) (tls.ConnectionState, error) {
	conf = conf.Clone()
	conf.ServerName = name
	c, err := tls.DialWithDialer(&net.Dialer{Timeout: testkit.Patience}, "tcp", addr, conf)
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(testkit.Patience))
	if _, err := c.Write([]byte("x")); err != nil {
		return tls.ConnectionState{}, err
	}
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
		return tls.ConnectionState{}, err
	}
	return c.ConnectionState(), nil
}

// client makes a client or ends the test.
func client(t testing.TB, o cert.ClientOptions) *tls.Config {
	t.Helper()
	c, err := cert.Client(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func copyFile(t testing.TB, from, to string, mode os.FileMode) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to+".new", b, mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(to+".new", to); err != nil {
		t.Fatal(err)
	}
}
