package push_test

import (
	"crypto/tls"
	"strings"
	"testing"
)

// TLS that is spoken to a port without it is named in the log and counted.
func TestTLSOnPlainPortIsNamed(t *testing.T) {
	s := start(t, nil)
	for _, addr := range []string{s.http, s.tcp} {
		c, err := s.connect(addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := tls.Client(c, &tls.Config{InsecureSkipVerify: true}).Handshake(); err == nil {
			t.Fatalf("%s spoke TLS", addr)
		}
	}
	if text := s.log.String(); !strings.Contains(text, "TLS was spoken to a plain port") {
		t.Errorf("the log says\n%s", text)
	}
	for _, r := range s.push.Refused() {
		if r.Reason == "request" && r.Camera == "" && r.Count >= 2 {
			return
		}
	}
	t.Errorf("counted are %v, want two refused requests", s.push.Refused())
}
