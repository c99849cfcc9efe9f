package dashboard

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"camqtt/broker"
	"camqtt/dashboard/internal/login"
	"camqtt/internal/access"
	"camqtt/internal/testkit"
	"camqtt/internal/testkit/packet"
)

// sender is what a CONNECT says about its sender.
type sender struct{ Client, User, Password string }

// packet is a CONNECT of MQTT 3.1.1 or 5, with a will or without.
func (l sender) packet(version byte, will bool) []byte {
	flags := byte(2)
	var props, last, credentials string
	if version == 5 {
		props = "\x05\x11\x00\x00\x00\x09" // session expiry
	}
	if will {
		flags |= 4
		if last = packet.String("a") + packet.String("b"); version == 5 {
			last = "\x00" + last
		}
	}
	if l.User != "" || l.Password != "" {
		flags |= 0xc0
		credentials = packet.String(l.User) + packet.String(l.Password)
	}
	head := packet.String("MQTT") + string([]byte{version, flags, 0, 30}) + props
	return packet.Raw(0x10, head, packet.String(l.Client), last, credentials)
}

// dialWeb opens the WebSocket with the headers of a page.
func (c *closed) dialWeb(t testing.TB, header []string) *websocket.Conn {
	t.Helper()
	return mustDialWS(t, c.served, append([]string{"Origin", c.url}, header...)...)
}

// connected is an open WebSocket of a session. The echo behind it has answered.
func (c *closed) connected(t testing.TB, cookie []string) *websocket.Conn {
	t.Helper()
	ws := c.dialWeb(t, cookie)
	want := sender{Client: "web-1"}.packet(4, false)
	speak(t, ws, want)
	if got := hear(t, ws); !bytes.Equal(got, want) {
		t.Errorf("% x came through, want % x", got, want)
	}
	return ws
}

func speak(t testing.TB, ws *websocket.Conn, p []byte) {
	t.Helper()
	if err := ws.WriteMessage(websocket.BinaryMessage, p); err != nil {
		t.Fatal(err)
	}
}

func hear(t testing.TB, ws *websocket.Conn) []byte {
	t.Helper()
	_ = ws.SetReadDeadline(time.Now().Add(testkit.Patience))
	_, b, err := ws.ReadMessage()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// withBroker is a dashboard with accounts before the embedded broker.
func withBroker(t *testing.T, o Options) *closed {
	t.Helper()
	var b *broker.Broker
	o.Attach = func(ctx context.Context, conn net.Conn) error { return b.Attach(ctx, conn) }
	c := serveClosed(t, access.AnonymousNever, o)
	var err error
	if b, err = broker.New(broker.Options{Access: c.as, Log: quietLog()}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Serve(ctx) }() // ends with ctx
	t.Cleanup(func() { cancel(); <-done })
	return c
}

// The session's cookie alone gives a WebSocket the rights of the session's account at the
// embedded broker.
func TestSessionAtTheEmbeddedBroker(t *testing.T) {
	c := withBroker(t, Options{})
	cookie := c.logIn(t, "annie", annPassword)
	for _, version := range []byte{4, 5} {
		ws := c.dialWeb(t, cookie)
		speak(t, ws, sender{Client: "web-1"}.packet(version, false))
		if ack := hear(t, ws); ack[0] != 0x20 || ack[3] != 0 {
			t.Fatalf("v%d: CONNACK % x", version, ack)
		}
		if version == 5 {
			continue
		}
		for filter, want := range map[string]byte{"cam/porch/frame": 0, "cam/garden/frame": 0x80} {
			speak(t, ws, packet.Subscribe(4, filter, 0))
			if ack := hear(t, ws); ack[0] != 0x90 || ack[4] != want {
				t.Errorf("%s: % x, want %#x", filter, ack, want)
			}
		}
	}
}

// Only a session's own page has its rights, and credentials in CONNECT are checked.
func TestSessionIsForItsOwnPageOnly(t *testing.T) {
	const listed = "https://ha.example"
	c := withBroker(t, Options{Origins: []string{listed}})
	cookie := c.logIn(t, "annie", annPassword)
	n := 0
	for name, tc := range map[string]struct {
		header []string
		with   sender
		code   byte
	}{
		"own page": {append(cookie, "Sec-Fetch-Site", "same-origin"), sender{}, 0},
		"own page, as a browser may take ws for another scheme": {append(cookie, "Sec-Fetch-Site", "same-site"), sender{}, 0},
		"own page, proxied":    {append(cookie, "Sec-Fetch-Site", "same-origin", "Origin", listed), sender{}, 0},
		"another listed site":  {append(cookie, "Sec-Fetch-Site", "same-site", "Origin", listed), sender{}, 5},
		"a site that embeds":   {append(cookie, "Sec-Fetch-Site", "cross-site", "Origin", listed), sender{}, 5},
		"no session":           {nil, sender{}, 5},
		"a chosen session":     {[]string{"Cookie", "camqtt=chosen"}, sender{}, 5},
		"a wrong password":     {cookie, sender{User: "annie", Password: "wrong"}, 4},
		"the session's cookie": {nil, sender{User: "annie", Password: cookie[1]}, 4},
		"an account's token":   {cookie, sender{User: "op", Password: c.tokens["op"]}, 0},
	} {
		ws := c.dialWeb(t, tc.header)
		n++
		tc.with.Client = fmt.Sprint("web-", n)
		speak(t, ws, tc.with.packet(4, false))
		if ack := hear(t, ws); ack[0] != 0x20 || ack[3] != tc.code {
			t.Errorf("%s: CONNACK % x, want code %d", name, ack, tc.code)
		}
	}
}

// Pages of earlier versions send in CONNECT what /api/mqtt-ticket answers. They have the
// rights of their session.
func TestOldTicket(t *testing.T) {
	c := withBroker(t, Options{})
	cookie := c.logIn(t, "annie", annPassword)
	resp, body := post(t, c.url+"/api/mqtt-ticket", "", cookie...)
	var l sender
	if err := json.Unmarshal([]byte(body), &l); err != nil || resp.StatusCode != http.StatusOK || len(l.Client) != 22 {
		t.Fatalf("%d %q", resp.StatusCode, body)
	}
	for _, flags := range []byte{0, 0xc0} {
		connect := sender{Client: l.Client}.packet(4, false)
		if flags != 0 { // an empty user name and password
			connect = append(connect, 0, 0, 0, 0)
			connect[1] += 4
			connect[9] |= flags
		}
		ws := c.dialWeb(t, cookie)
		speak(t, ws, connect)
		if ack := hear(t, ws); ack[0] != 0x20 || ack[3] != 0 {
			t.Errorf("flags %#x: CONNACK % x", flags, ack)
		}
	}
}

// Before a broker elsewhere a session has the account of the dashboard there, if it may
// operate every camera. Other accounts get no WebSocket and are told so before.
func TestSessionAtABrokerElsewhere(t *testing.T) {
	file := filepath.Join(t.TempDir(), "passwords")
	passwd := testkit.Tool(t, "mosquitto_passwd")
	if _, stderr, status := testkit.Run(t, passwd, "-b", "-c", file, "cam", "s3cret"); status != 0 {
		t.Fatal(stderr)
	}
	m := testkit.StartMosquitto(t, "password_file "+file, "user root")
	c := serveClosed(t, access.AnonymousNever, Options{OwnRights: true, Attach: Remote(RemoteOptions{
		Dial: func(ctx context.Context) (net.Conn, error) { return new(net.Dialer).DialContext(ctx, "tcp", m.Addr) },
		User: "cam", Password: "s3cret",
	})})
	op := c.logIn(t, "op", c.tokens["op"])
	for _, tc := range []struct {
		with sender
		will bool
		code byte
	}{{sender{}, true, 0}, {sender{User: "op", Password: "wrong"}, false, 5}} {
		ws := c.dialWeb(t, op)
		tc.with.Client = "web-1"
		speak(t, ws, tc.with.packet(4, tc.will))
		if ack := hear(t, ws); !bytes.Equal(ack, []byte{0x20, 2, 0, tc.code}) {
			t.Errorf("%+v: CONNACK % x", tc.with, ack)
		}
	}
	annie := c.logIn(t, "annie", annPassword)
	if _, resp, err := dialWS(t, c.served, append(annie, "Origin", c.url)...); err == nil || resp.StatusCode != http.StatusForbidden {
		t.Errorf("a viewer's WebSocket: %v %v", resp, err)
	}
	if resp, body := post(t, c.url+"/api/mqtt-ticket", "", annie...); resp.StatusCode != http.StatusForbidden {
		t.Errorf("a viewer's ticket: %d %q", resp.StatusCode, body)
	}
	if _, body := ask(t, "GET", c.url+"/api/me", annie...); !bytes.Contains([]byte(body), []byte(login.StillsOnly)) {
		t.Errorf("a viewer is told %q", body)
	}
}
