package broker

import (
	"crypto/tls"
	"log/slog"
	"strings"
	"testing"

	"camqtt/internal/access"
	"camqtt/internal/testkit"
)

// Refusals for different reasons and of different clients are each logged, also when
// they come within one period and from one address.
func TestEachRefusalIsLogged(t *testing.T) {
	log := &testkit.Output{}
	g := startOptions(t, Options{Log: slog.New(slog.NewTextHandler(log, nil))}, access.AnonymousNever, cameraOf("front"), cameraOf("side"), viewerOf("ann"))
	logged := func(parts ...string) {
		t.Helper()
		testkit.Until(t, "a log line with "+strings.Join(parts, " and "), func() bool { return log.HasLine(parts...) })
	}
	refused := func(id string, o ...option) {
		t.Helper()
		if ack, err := dial(t, g.addr).try(id, 4, o...); err != nil || ack.ReasonCode == 0 {
			t.Fatalf("%s: %v, code %d, want a refusal", id, err, ack.ReasonCode)
		}
	}
	refused("board-1", password("front", "wrong"))
	refused("board-2", password("front", "wrong"))
	refused("board-2")
	refused("side", password("front", g.tokens["front"])) // the right token, the wrong identifier
	logged("client=board-1", "password is wrong")
	logged("client=board-2", "password is wrong")
	logged("client=board-2", "an account is needed")
	logged("client=side", "name of another account")

	secure := dial(t, g.addr)
	if err := tls.Client(secure.c, &tls.Config{InsecureSkipVerify: true}).Handshake(); err == nil {
		t.Fatal("a plain port spoke TLS")
	}
	logged("TLS was spoken to a plain port")
	web := dial(t, g.addr)
	_, _ = web.c.Write([]byte("GET / HTTP/1.1\r\n\r\n"))
	web.closedBy(t)
	logged("HTTP was spoken to an MQTT port")
}
