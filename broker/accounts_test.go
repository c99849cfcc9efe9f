package broker

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"camqtt/internal/access"
	"camqtt/internal/testkit"
	"camqtt/internal/wire"
)

func viewerOf(name string, ids ...wire.ID) access.Account {
	return access.Account{Name: name, Role: access.Viewer, All: len(ids) == 0, Cameras: ids}
}

func cameraOf(id wire.ID) access.Account {
	return access.Account{Name: string(id), Role: access.Camera, Cameras: []wire.ID{id}}
}

// as gives a CONNECT an account's credentials.
func (g *guarded) asUser(name string) option { return password(name, g.tokens[name]) }

// watched makes the broker notice changes of the accounts, as the program does.
func (g *guarded) watched(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = g.as.Serve(ctx) }() // ends with ctx
	t.Cleanup(func() { cancel(); <-done })
}

// Who is refused is told alike, whatever was wrong, in both versions.
func TestCredentials(t *testing.T) {
	g := startGuarded(t, access.AnonymousNever, cameraOf("front"), viewerOf("ann"))
	for name, c := range map[string]struct {
		o      []option
		v3, v5 byte
	}{
		"token":          {[]option{g.asUser("front")}, 0, 0},
		"no credentials": {nil, 5, packets.ErrNotAuthorized.Code},
		"wrong":          {[]option{password("front", "x")}, 4, packets.ErrBadUsernameOrPassword.Code},
		"unknown":        {[]option{password("nobody", "x")}, 4, packets.ErrBadUsernameOrPassword.Code},
		"other's":        {[]option{password("front", g.tokens["ann"])}, 4, packets.ErrBadUsernameOrPassword.Code},
		"wildcard":       {[]option{password("+", "x")}, 4, packets.ErrBadUsernameOrPassword.Code},
	} {
		for v, want := range map[byte]byte{4: c.v3, 5: c.v5} {
			if ack, err := dial(t, g.addr).try("c-"+name, v, c.o...); err != nil || ack.ReasonCode != want {
				t.Errorf("%s, v%d: CONNACK %#x, %v: want %#x", name, v, ack.ReasonCode, err, want)
			}
		}
	}
	// Too many wrong ones are told so, at once, and a token still gets in.
	for i := range 20 {
		_, _ = dial(t, g.addr).try("guess", 5, password("ann", fmt.Sprint("guess ", i)))
	}
	for v, want := range map[byte]byte{4: 3, 5: packets.ErrConnectionRateExceeded.Code} {
		if ack, err := dial(t, g.addr).try("guess", v, password("ann", "another guess")); err != nil || ack.ReasonCode != want {
			t.Errorf("v%d: CONNACK %#x, %v: want %#x", v, ack.ReasonCode, err, want)
		}
	}
	join(t, g.addr, "f", 5, g.asUser("front"))
}

// A5. An account that goes or changes ends what its owner has. BenchmarkRevoked says how
// soon.
func TestRevoked(t *testing.T) {
	g := startGuarded(t, access.AnonymousNever, cameraOf("front"), cameraOf("side"), viewerOf("ann"), viewerOf("bob"), viewerOf("eve"))
	g.page(t)
	g.watched(t)
	hub := g.hub(t, "hub")
	hub.subscribe(t, 1, "cam/+/status")
	hub.sync(t) // what is retained by now has been sent: what comes later comes once
	front := join(t, g.addr, "node", 5, g.asUser("front"), withWill("cam/front/status", "offline", true))
	side := join(t, g.addr, "node2", 4, g.asUser("side"))
	front.publish(t, "cam/front/status", []byte("online"), 1, true)
	front.want(t, packets.Puback)
	hub.message(t)

	ann := join(t, g.addr, "ann", 5, g.asUser("ann"))
	ann.subscribe(t, 0, "cam/#")
	annWeb := g.line(t, true, http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte("ann:"+g.tokens["ann"]))}})
	annWeb.joins(t, "ann-web", 4)
	annWeb.subscribe(t, 0, "cam/#")
	bob := join(t, g.addr, "bob", 4, g.asUser("bob"))
	bob.subscribe(t, 1, "cam/#")
	away := join(t, g.addr, "away", 5, g.asUser("ann"), persistent(300))
	away.subscribe(t, 1, "cam/front/result")
	_ = away.c.Close()
	testkit.Until(t, "away has gone", func() bool { return g.Stats().Clients == 6 })
	side.publish(t, "cam/side/result", []byte("before"), 1, false)
	side.want(t, packets.Puback)

	if err := access.Remove(g.file, "ann"); err != nil {
		t.Fatal(err)
	}
	pk := ann.want(t, packets.Disconnect)
	if pk.ReasonCode != packets.ErrNotAuthorized.Code {
		t.Errorf("DISCONNECT %#x, want 0x87", pk.ReasonCode)
	}
	ann.closedBy(t)
	annWeb.closedBy(t)
	testkit.Until(t, "ann's session has gone", func() bool { return g.sessions.get("away") == nil && g.sessions.get("ann") == nil })
	if ack, err := dial(t, g.addr).try("away", 5, g.asUser("ann"), persistent(300)); err != nil || ack.ReasonCode != packets.ErrBadUsernameOrPassword.Code {
		t.Errorf("the token of an account that has gone: %#x, %v", ack.ReasonCode, err)
	}

	// A role that shrinks takes effect likewise; who comes again has the new one.
	if err := access.SetRights(g.file, viewerOf("bob", "side")); err != nil {
		t.Fatal(err)
	}
	bob.closedBy(t)
	bob = join(t, g.addr, "bob", 4, g.asUser("bob"))
	bob.subscribe(t, 0, "cam/#")
	front.publish(t, "cam/front/result", []byte("x"), 1, false)
	front.want(t, packets.Puback)
	if got := bob.drained(t); len(got) != 0 {
		t.Errorf("bob got %q", got)
	}

	// A camera whose account goes is offline: its will says so.
	if err := access.Remove(g.file, "front"); err != nil {
		t.Fatal(err)
	}
	if pk := hub.message(t); pk.TopicName != "cam/front/status" || string(pk.Payload) != "offline" {
		t.Errorf("of the camera whose account has gone: %s %s", pk.TopicName, pk.Payload)
	}
	front.closedBy(t)
	side.sync(t)
}

// A5. What waits for a session is not delivered after its rights have shrunk, also at
// the same session's next connection.
func TestRevokedQueue(t *testing.T) {
	g := startGuarded(t, access.AnonymousNever, cameraOf("front"), viewerOf("ann"))
	front := join(t, g.addr, "node", 4, g.asUser("front"))
	for _, online := range []bool{true, false} {
		ann := join(t, g.addr, "queue", 5, g.asUser("ann"), persistent(300))
		ann.subscribe(t, 1, "cam/#")
		if online { // on its way, not acknowledged
			front.publish(t, "cam/front/result", []byte("secret"), 1, false)
			front.want(t, packets.Puback)
			ann.want(t, packets.Publish)
			_ = ann.c.Close()
		} else { // waiting
			_ = ann.c.Close()
			testkit.Until(t, "ann is away", func() bool { return g.Stats().Clients == 1 })
			front.publish(t, "cam/front/result", []byte("secret"), 1, false)
			front.want(t, packets.Puback)
		}
		testkit.Until(t, "ann is away", func() bool { return g.Stats().Clients == 1 })
		if err := access.SetRights(g.file, viewerOf("ann", wire.ID(map[bool]string{true: "side", false: "back"}[online]))); err != nil {
			t.Fatal(err)
		}
		if err := g.as.Reload(); err != nil {
			t.Fatal(err)
		}
		ann = join(t, g.addr, "queue", 5, g.asUser("ann"), persistent(300))
		if got := ann.drained(t); len(got) != 0 {
			t.Errorf("delivered after the right had gone: %q", got)
		}
		_ = ann.c.Close()
		testkit.Until(t, "ann is away", func() bool { return g.Stats().Clients == 1 })
		if err := access.SetRights(g.file, viewerOf("ann")); err != nil {
			t.Fatal(err)
		}
		if err := g.as.Reload(); err != nil {
			t.Fatal(err)
		}
	}
}

// A6. Nobody takes what is another account's by using its client identifier.
func TestTakeovers(t *testing.T) {
	g := startGuarded(t, access.AnonymousLoopback, cameraOf("front"), viewerOf("ann"), viewerOf("eve"))
	hub := g.hub(t, "hub")
	hub.subscribe(t, 1, "cam/front/status")
	front := join(t, g.addr, "front", 4, g.asUser("front"), withWill("cam/front/status", "offline", true))
	ann := join(t, g.addr, "phone", 5, g.asUser("ann"), persistent(300))
	ann.subscribe(t, 1, "cam/#")
	away := join(t, g.addr, "tablet", 5, g.asUser("ann"), persistent(300))
	away.subscribe(t, 1, "cam/#")
	_ = away.c.Close()
	inside := g.hub(t, "inside")
	refused := 0
	for i := range 1000 {
		id := []string{"front", "phone", "tablet", "$hub/inside", "ann"}[i%5]
		o := []option{g.asUser("eve")}
		if i%2 == 0 {
			o = nil // somebody of this machine without an account
		}
		if i%3 == 0 {
			o = append(o, persistent(60))
		}
		v := byte(4 + i/5%2)
		c := dial(t, g.addr)
		ack, err := c.try(id, v, o...)
		want := map[byte]byte{4: 2, 5: packets.ErrClientIdentifierNotValid.Code}[v]
		if err != nil || ack.ReasonCode != want {
			t.Fatalf("%s, v%d: CONNACK %#x, %v: want %#x", id, v, ack.ReasonCode, err, want)
		}
		_ = c.c.Close()
		refused++
	}
	front.sync(t)
	ann.sync(t)
	inside.sync(t)
	front.publish(t, "cam/front/result", []byte("still here"), 1, false)
	front.want(t, packets.Puback)
	if pk := ann.message(t); string(pk.Payload) != "still here" {
		t.Errorf("ann got %s", pk.Payload)
	}
	away = dial(t, g.addr)
	ack, err := away.try("tablet", 5, g.asUser("ann"), persistent(300))
	if err != nil || ack.ReasonCode != 0 || !ack.SessionPresent {
		t.Errorf("ann's own session: %#x, present %v, %v", ack.ReasonCode, ack.SessionPresent, err)
	}
	if got := hub.drained(t); len(got) != 0 {
		t.Errorf("the camera's will was spoken: %q", got)
	}
	// Ann herself takes her own over.
	join(t, g.addr, "phone", 5, g.asUser("ann"), persistent(300))
	ann.closedBy(t)
	t.Logf("%d takeovers refused", refused)
}

// An account that leaves sessions behind pushes out its own.
func TestSessionsOfOthersStay(t *testing.T) {
	g := startLimited(t, Limits{Sessions: 5}, access.AnonymousNever, viewerOf("ann"), viewerOf("eve"))
	leave := func(name, id string) {
		c := join(t, g.addr, id, 5, g.asUser(name), persistent(300))
		_ = c.c.Close()
		testkit.Until(t, id+" has gone", func() bool { return g.Stats().Clients == 0 })
	}
	leave("ann", "tablet")
	leave("ann", "phone")
	for i := range 20 {
		leave("eve", fmt.Sprint("eve", i))
	}
	for id, want := range map[string]bool{"tablet": true, "phone": true, "eve19": true, "eve0": false} {
		if got := g.sessions.get(id) != nil; got != want {
			t.Errorf("the session of %s is kept: %v", id, got)
		}
	}
}

// A group belongs to the account that made it: nobody takes its messages by joining.
func TestShareGroupsAreTheAccounts(t *testing.T) {
	g := startGuarded(t, access.AnonymousNever, cameraOf("front"), viewerOf("ann"), viewerOf("eve"), viewerOf("bob", "side"))
	front := join(t, g.addr, "node", 4, g.asUser("front"))
	clients := map[string]*client{}
	for _, name := range []string{"ann", "ann2", "eve", "bob"} {
		c := join(t, g.addr, name+"-client", 5, g.asUser(strings.TrimSuffix(name, "2")))
		c.subscribe(t, 0, "$share/g/cam/+/result")
		clients[name] = c
	}
	for range 20 {
		front.publish(t, "cam/front/result", []byte("x"), 1, false)
		front.want(t, packets.Puback)
	}
	got := map[string]int{}
	for name, c := range clients {
		got[name] = len(c.drained(t))
	}
	if got["ann"]+got["ann2"] != 20 || got["ann"] != 10 || got["eve"] != 20 || got["bob"] != 0 {
		t.Errorf("of 20 messages %v", got)
	}
}

// Over the WebSocket: credentials in CONNECT, an introduction by HTTP, or nothing.
func TestIntroduction(t *testing.T) {
	g := startGuarded(t, access.AnonymousLoopback, cameraOf("front"), viewerOf("ann", "front"))
	g.page(t)
	basic := http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte("ann:"+g.tokens["ann"]))}}
	c := g.line(t, true, basic)
	c.joins(t, "a", 5)
	if codes := c.subscribe(t, 0, "cam/+/frame", "cam/other/frame", "$SYS/#"); !slices.Equal(codes, []byte{0, 0x87, 0x87}) {
		t.Errorf("introduced by HTTP: %#x", codes)
	}
	c = g.line(t, true, basic)
	c.joins(t, "b", 5, g.asUser("front"))
	if codes := c.subscribe(t, 0, "cam/front/cmd", "cam/front/frame"); !slices.Equal(codes, []byte{0, 0x87}) {
		t.Errorf("credentials in CONNECT count first: %#x", codes)
	}
	if ack, err := g.line(t, true, basic).try("c", 5, password("ann", "wrong")); err != nil || ack.ReasonCode != packets.ErrBadUsernameOrPassword.Code {
		t.Errorf("wrong ones in CONNECT: %#x, %v", ack.ReasonCode, err)
	}
	// A proxy on this machine makes everybody come from it.
	for name, header := range map[string]http.Header{"": nil, "behind a proxy": {"X-Forwarded-For": {"203.0.113.9"}}} {
		if ack, err := g.line(t, true, header).try("d", 5); err != nil || ack.ReasonCode != packets.ErrNotAuthorized.Code {
			t.Errorf("no credentials by HTTP %s: %#x, %v", name, ack.ReasonCode, err)
		}
	}
}

// A10. There is one limit: who has guessed over MQTT cannot go on by WebSocket or HTTP,
// and the broker does everybody else's work meanwhile.
func TestOneLimit(t *testing.T) {
	g := startGuarded(t, access.AnonymousNever, cameraOf("front"), viewerOf("ann"))
	g.page(t)
	for i := range 6 { // without a name nothing is hashed: no time passes in which a try comes back
		_, _ = dial(t, g.addr).try("guess", 4, password("", fmt.Sprint("guess ", i)))
	}
	wrong := password("ann", "a guess more")
	if ack, err := dial(t, g.addr).try("guess", 5, wrong); err != nil || ack.ReasonCode != packets.ErrConnectionRateExceeded.Code {
		t.Errorf("MQTT: %#x, %v", ack.ReasonCode, err)
	}
	if ack, err := g.line(t, true, nil).try("guess", 5, wrong); err != nil || ack.ReasonCode != packets.ErrConnectionRateExceeded.Code {
		t.Errorf("WebSocket: %#x, %v", ack.ReasonCode, err)
	}
	r, err := http.NewRequest(http.MethodGet, strings.Replace(strings.TrimSuffix(g.ws, "mqtt"), "ws:", "http:", 1), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth("ann", "a guess more")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusTooManyRequests {
		t.Errorf("HTTP: %d, want 429", resp.StatusCode)
	}
	join(t, g.addr, "f", 5, g.asUser("front")).sync(t)
}

// BenchmarkRevoked is the time from removing an account to the end of a connection.
func BenchmarkRevoked(b *testing.B) {
	g := startGuarded(b, access.AnonymousNever, viewerOf("ann"))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = g.as.Serve(ctx) }() // ends with ctx
	b.Cleanup(func() { cancel(); <-done })
	var worst time.Duration
	for b.Loop() {
		name := fmt.Sprint("user", time.Now().UnixNano())
		a := viewerOf(name)
		a.Token = true
		token, err := access.Add(g.file, a, "")
		if err != nil {
			b.Fatal(err)
		}
		testkit.Until(b, "the account is known", func() bool { return g.as.Named(name) })
		c := join(b, g.addr, name, 4, password(name, token))
		begun := time.Now()
		if err := access.Remove(g.file, name); err != nil {
			b.Fatal(err)
		}
		c.closedBy(b)
		worst = max(worst, time.Since(begun))
	}
	b.ReportMetric(float64(worst.Milliseconds()), "ms-worst")
}
