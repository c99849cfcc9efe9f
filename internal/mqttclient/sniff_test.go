package mqttclient_test

import (
	"net"
	"strings"
	"testing"
	"time"

	"camqtt/internal/mqttclient"
	"camqtt/internal/testkit"
)

// What is no broker of this kind is called by its name, and each trouble differently.
func TestOtherProtocols(t *testing.T) {
	for name, c := range map[string]struct{ scheme, answer, want string }{
		"TLS on a plain address":        {"mqtt", "\x15\x03\x01\x00\x02\x02\x16", "this port speaks TLS: want mqtts://"},
		"HTTP":                          {"mqtt", "HTTP/1.1 400 Bad Request\r\n\r\n", "this port speaks HTTP: want ws://"},
		"nothing":                       {"mqtt", "", "ended the connection without an answer to CONNECT"},
		"a plain broker as a TLS one":   {"mqtts", "", "this port does not speak TLS"},
		"an answer without TLS to TLS":  {"mqtts", "HTTP/1.1 400 Bad Request\r\n\r\n", "this port does not speak TLS"},
		"a web site without WebSockets": {"ws", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "404 Not Found and opens no WebSocket"},
	} {
		t.Run(name, func(t *testing.T) {
			far, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer far.Close()
			go func() { // ends with the listener
				for {
					conn, err := far.Accept()
					if err != nil {
						return
					}
					_, _ = conn.Read(make([]byte, 4096))
					_, _ = conn.Write([]byte(c.answer))
					_ = conn.Close()
				}
			}()
			l, err := mqttclient.New(mqttclient.Options{URLs: []string{c.scheme + "://" + far.Addr().String()}, ClientID: "a", OneShot: true, Log: testkit.Log(t), Timeout: 5 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			if err := l.Serve(t.Context()); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want a word on %q", err, c.want)
			}
		})
	}
}
