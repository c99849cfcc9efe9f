package dashboard

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"camqtt/broker"
	"camqtt/internal/access"
	"camqtt/internal/testkit"
	"camqtt/internal/testkit/faketime"
)

// pass is what /api/mqtt-ticket answers.
type pass struct{ User, Password, Client, Expires string }

func (c *closed) ticket(t testing.TB, cookie []string) pass {
	t.Helper()
	resp, body := post(t, c.url+"/api/mqtt-ticket", "", cookie...)
	var p pass
	if err := json.Unmarshal([]byte(body), &p); err != nil || resp.StatusCode != 200 {
		t.Fatalf("ticket: %d %q", resp.StatusCode, body)
	}
	return p
}

// connect is a CONNECT with a pass, of MQTT 3.1.1 or 5, with a will or without.
func connect(p pass, version byte, will bool) []byte {
	flags := byte(2 | flagUser | flagPassword)
	body := []byte{0, 4, 'M', 'Q', 'T', 'T', version, 0, 0, 30}
	if version == 5 {
		body = append(body, 5, 0x11, 0, 0, 0, 9) // session expiry
	}
	body = lengthPrefixed(body, p.Client)
	if will {
		flags |= 4
		if version == 5 {
			body = append(body, 0)
		}
		body = lengthPrefixed(lengthPrefixed(body, "a"), "b")
	}
	body[7] = flags
	body = lengthPrefixed(lengthPrefixed(body, p.User), p.Password)
	return append(appendRemaining([]byte{0x10}, len(body)), body...)
}

// dialWeb opens the WebSocket with the headers of a page.
func (c *closed) dialWeb(t testing.TB, header []string) *websocket.Conn {
	t.Helper()
	h := http.Header{"Origin": {c.url}}
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	ws, resp, err := (&websocket.Dialer{Subprotocols: []string{"mqtt"}}).Dial("ws://"+c.addr+"/mqtt", h)
	if err != nil {
		t.Fatalf("WebSocket: %v %v", err, resp)
	}
	t.Cleanup(func() { ws.Close() })
	return ws
}

// enter connects in one session with a pass; the echo behind shows what came through.
func (c *closed) enter(t testing.TB, cookie []string, p pass) error {
	t.Helper()
	ws := c.dialWeb(t, cookie)
	if err := ws.WriteMessage(websocket.BinaryMessage, connect(p, 4, false)); err != nil {
		return err
	}
	_ = ws.SetReadDeadline(time.Now().Add(testkit.Patience))
	_, got, err := ws.ReadMessage()
	if err == nil && (bytes.Contains(got, []byte(p.Password)) || !bytes.Contains(got, []byte(p.Client))) {
		return fmt.Errorf("% x came through", got)
	}
	return err
}

// connected is a WebSocket of a session that the dashboard has let through.
func (c *closed) connected(t testing.TB, cookie []string) *websocket.Conn {
	t.Helper()
	ws := c.dialWeb(t, cookie)
	if err := ws.WriteMessage(websocket.BinaryMessage, connect(c.ticket(t, cookie), 4, false)); err != nil {
		t.Fatal(err)
	}
	_ = ws.SetReadDeadline(time.Now().Add(testkit.Patience))
	if _, _, err := ws.ReadMessage(); err != nil {
		t.Fatal(err)
	}
	return ws
}

func speak(t testing.TB, ws *websocket.Conn, packet []byte) {
	t.Helper()
	if err := ws.WriteMessage(websocket.BinaryMessage, packet); err != nil {
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

// A11. A ticket is good once, in its own session, for its own client identifier and
// account, and neither a cookie nor a password does in its place.
func TestTicket(t *testing.T) {
	c := serveClosed(t, access.AnonymousNever, Options{})
	annie, op := c.logIn(t, "annie", annPassword), c.logIn(t, "op", c.tokens["op"])
	good := c.ticket(t, annie)
	if good.User != "annie" || len(good.Client) != 22 || good.Client == c.ticket(t, annie).Client || len(good.Password) != 43 {
		t.Errorf("ticket %+v", good)
	}
	if err := c.enter(t, annie, good); err != nil {
		t.Errorf("a good one: %v", err)
	}
	change := func(f func(*pass)) pass {
		p := c.ticket(t, annie)
		f(&p)
		return p
	}
	for name, tc := range map[string]struct {
		in   []string
		with pass
	}{
		"used before":         {annie, good},
		"another session":     {op, c.ticket(t, annie)},
		"another name":        {annie, change(func(p *pass) { p.User = "op" })},
		"another identifier":  {annie, change(func(p *pass) { p.Client = "porch" })},
		"none":                {annie, pass{User: "annie", Client: "web-1"}},
		"the password":        {annie, pass{User: "annie", Client: "web-1", Password: annPassword}},
		"somebody's token":    {annie, pass{User: "op", Client: "web-1", Password: c.tokens["op"]}},
		"shown for a session": {annie, change(func(p *pass) { p.Password = strings.TrimPrefix(annie[1], "camqtt=") })},
	} {
		err := c.enter(t, tc.in, tc.with)
		var closed *websocket.CloseError
		if !errors.As(err, &closed) || closed.Code != websocket.ClosePolicyViolation {
			t.Errorf("%s: %v, want it closed with 1008", name, err)
		}
	}
	stolen := c.ticket(t, annie)
	if err := c.enter(t, op, stolen); err == nil {
		t.Error("another session's")
	}
	if err := c.enter(t, annie, stolen); err == nil {
		t.Error("one that somebody else has tried is still good")
	}
}

func TestTicketsAge(t *testing.T) {
	faketime.Run(t, func(t *testing.T) {
		s := newSessions(Options{Access: trusting{}, Log: quietLog()})
		defer func() { s.endAll(); synctest.Wait() }()
		x := s.find(s.begin(access.Principal{Name: "ann"}))
		try := func(secret, client string) error {
			return s.redeem(x, &greeted{client: client, user: "ann", password: secret})
		}
		secret, client, _ := s.issue(x)
		time.Sleep(ticketLife)
		if err := try(secret, client); err != nil {
			t.Errorf("after a minute: %v", err)
		}
		secret, client, _ = s.issue(x)
		time.Sleep(ticketLife + 1)
		if try(secret, client) == nil {
			t.Error("after more than a minute it is still good")
		}
		first, of, _ := s.issue(x)
		for range maxTickets {
			time.Sleep(time.Millisecond)
			secret, client, _ = s.issue(x)
		}
		if n := len(s.tickets); n != maxTickets || try(first, of) == nil || try(secret, client) != nil {
			t.Errorf("%d tickets of one session", n)
		}
		secret, client, _ = s.issue(x)
		x.end()
		synctest.Wait()
		if try(secret, client) == nil || len(s.tickets) != 0 {
			t.Error("a ticket outlives its session")
		}
	})
}

// The embedded broker takes who has a ticket for who has logged in, with his rights.
func TestTicketAtTheEmbeddedBroker(t *testing.T) {
	var b *broker.Broker
	c := serveClosed(t, access.AnonymousNever, Options{Attach: func(ctx context.Context, conn net.Conn) error { return b.Attach(ctx, conn) }})
	var err error
	if b, err = broker.New(broker.Options{Access: c.as, Log: quietLog()}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Serve(ctx) }() // ends with ctx
	defer func() { cancel(); <-done }()
	cookie := c.logIn(t, "annie", annPassword)
	for _, version := range []byte{4, 5} {
		ws := c.dialWeb(t, cookie)
		speak(t, ws, connect(c.ticket(t, cookie), version, false))
		if ack := hear(t, ws); ack[0] != 0x20 || ack[3] != 0 {
			t.Fatalf("v%d: CONNACK % x", version, ack)
		}
		if version == 5 {
			continue
		}
		for filter, want := range map[string]byte{"cam/porch/frame": 0, "cam/garden/frame": 0x80} {
			speak(t, ws, subscribePacket(4, filter, 0))
			if ack := hear(t, ws); ack[0] != 0x90 || ack[4] != want {
				t.Errorf("%s: % x, want %#x", filter, ack, want)
			}
		}
	}
}

// Before a broker elsewhere the ticket stays here, and that broker sees its own
// account; who may not have the rights of that gets no ticket.
func TestTicketAtABrokerElsewhere(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "passwords")
	if _, stderr, status := testkit.Run(t, testkit.Tool(t, "mosquitto_passwd"), "-b", "-c", file, "cam", "s3cret"); status != 0 {
		t.Fatal(stderr)
	}
	m := testkit.StartMosquitto(t, "password_file "+file, "user root")
	c := serveClosed(t, access.AnonymousNever, Options{OwnRights: true, Attach: Remote(RemoteOptions{
		Dial: func(ctx context.Context) (net.Conn, error) { return new(net.Dialer).DialContext(ctx, "tcp", m.Addr) },
		User: "cam", Password: "s3cret",
	})})
	op := c.logIn(t, "op", c.tokens["op"])
	ws := c.dialWeb(t, op)
	speak(t, ws, connect(c.ticket(t, op), 4, true))
	if ack := hear(t, ws); !bytes.Equal(ack, []byte{0x20, 2, 0, 0}) {
		t.Errorf("CONNACK % x", ack)
	}
	if err := c.enter(t, op, pass{User: "op", Client: "web-1", Password: "no ticket"}); err == nil {
		t.Error("without a ticket the dashboard lends its rights")
	}
	annie := c.logIn(t, "annie", annPassword)
	if resp, body := post(t, c.url+"/api/mqtt-ticket", "", annie...); resp.StatusCode != 403 {
		t.Errorf("a viewer's ticket: %d %q", resp.StatusCode, body)
	}
}

func FuzzAdmission(f *testing.F) {
	p := pass{User: "ann", Password: "ticket", Client: "web-1"}
	for _, version := range []byte{3, 4, 5} {
		f.Add(connect(p, version, true), 3)
		f.Add(append(connect(p, version, false), 0xc0, 0), 100)
	}
	f.Add([]byte{0x10, 0xff, 0xff, 0xff, 0xff}, 1)
	f.Fuzz(func(t *testing.T, in []byte, size int) {
		size = max(1, size%5000)
		redeemed := 0
		a := &admission{redeem: func(h *greeted) error {
			redeemed++
			if h.password != "ticket" {
				return errTicket
			}
			return nil
		}}
		for b := in; len(b) > 0 && !a.done; b = b[min(size, len(b)):] {
			if a.take(b[:min(size, len(b))]) != nil {
				break
			}
		}
		if redeemed > 1 || a.done && redeemed == 0 || len(a.held) > maxIntroduction+5000 {
			t.Errorf("asked %d times, done %v, holds %d", redeemed, a.done, len(a.held))
		}
		if !a.done {
			return
		}
		head, n, ok := fixedHeader(a.pass)
		if !ok {
			t.Fatalf("% x is passed on", a.pass)
		}
		h, err := readConnect(a.pass[head : head+n])
		if err != nil || h.user != "" || h.password != "" {
			t.Errorf("% x is passed on: %v", a.pass, err)
		}
	})
}
