package broker

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/mochi-mqtt/server/v2/packets"

	"camqtt/dashboard"
	"camqtt/internal/access"
	"camqtt/internal/mqtt"
	"camqtt/internal/testkit"
	rightstable "camqtt/internal/testkit/rights"
	"camqtt/internal/viewer"
)

// password gives a CONNECT credentials.
func password(user, secret string) option {
	return func(p *packets.Packet) {
		p.Connect.UsernameFlag, p.Connect.Username = true, []byte(user)
		p.Connect.PasswordFlag, p.Connect.Password = true, []byte(secret)
	}
}

// guarded is a broker with accounts, all with tokens, and a page before it.
type guarded struct {
	*running
	file   string
	tokens map[string]string
	as     *access.Accounts
	ws     string // URL of /mqtt
}

func startGuarded(t testing.TB, anonymous string, all ...access.Account) *guarded {
	t.Helper()
	return startLimited(t, Limits{}, anonymous, all...)
}

// startLimited is startGuarded with limits other than the usual.
func startLimited(t testing.TB, l Limits, anonymous string, all ...access.Account) *guarded {
	t.Helper()
	return startOptions(t, Options{Limits: l}, anonymous, all...)
}

// startOptions is startGuarded with other options.
func startOptions(t testing.TB, o Options, anonymous string, all ...access.Account) *guarded {
	t.Helper()
	g := &guarded{file: filepath.Join(t.TempDir(), access.FileName), tokens: map[string]string{}}
	for _, a := range all {
		a.Token = true
		token, err := access.Add(g.file, a, "")
		if err != nil {
			t.Fatal(err)
		}
		g.tokens[a.Name] = token
	}
	var err error
	if g.as, err = access.Open(access.Options{File: g.file, Anonymous: anonymous}); err != nil {
		t.Fatal(err)
	}
	o.Access = g.as
	g.running = start(t, o)
	return g
}

// page serves the WebSocket.
func (g *guarded) page(t testing.TB) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	v, err := viewer.New(viewer.Options{Link: noLink{}, Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	d, err := dashboard.New(dashboard.Options{Listener: l, Attach: g.Attach, Viewer: v, Access: g.as, Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: d.Handler(), ReadHeaderTimeout: time.Minute}
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(l) }() // ends with Close
	t.Cleanup(func() { _ = s.Close(); g.stop(); <-done })
	g.ws = "ws://" + l.Addr().String() + "/mqtt"
}

type noLink struct{ viewer.Link }

// webLine is MQTT in a WebSocket.
type webLine struct {
	net.Conn
	ws  *websocket.Conn
	msg io.Reader
}

func (w *webLine) Write(p []byte) (int, error) {
	return len(p), w.ws.WriteMessage(websocket.BinaryMessage, p)
}

func (w *webLine) Read(p []byte) (int, error) {
	for {
		if w.msg == nil {
			_, r, err := w.ws.NextReader()
			if err != nil {
				return 0, err
			}
			w.msg = r
		}
		if n, err := w.msg.Read(p); n > 0 || err != io.EOF {
			return n, err
		}
		w.msg = nil
	}
}

// line opens a connection by one of both transports.
func (g *guarded) line(t testing.TB, web bool, header http.Header) *client {
	t.Helper()
	if !web {
		return dial(t, g.addr)
	}
	d := websocket.Dialer{Subprotocols: []string{"mqtt"}}
	ws, resp, err := d.Dial(g.ws, header)
	if err != nil {
		t.Fatalf("open WebSocket: %v (%v)", err, resp)
	}
	t.Cleanup(func() { _ = ws.Close() })
	return newClient(&webLine{Conn: ws.NetConn(), ws: ws})
}

// hub is a part of the program on a pipe.
func (g *guarded) hub(t testing.TB, id string) *client {
	t.Helper()
	c := pipe(t, g.Broker)
	c.joins(t, id, 4)
	return c
}

// role is one row of connections under test.
type role struct {
	*guarded
	name   string
	v      byte
	web    bool
	topics []string
	may    func(topic, letter string) bool
	hub    *client // sees everything
	cases  int
	n      int
}

func (r *role) join(t *testing.T, o ...option) (*client, byte) {
	t.Helper()
	c := r.line(t, r.web, nil)
	if token := r.tokens[r.name]; token != "" {
		o = append(o, password(r.name, token))
	}
	r.n++
	ack, err := c.try(fmt.Sprintf("%s-%d-%t-%d", r.name, r.v, r.web, r.n), r.v, o...)
	if err != nil {
		t.Fatalf("%s: %v", r.name, err)
	}
	return c, ack.ReasonCode
}

// isFrame reports whether a topic is never retained. topics.md: frame.
func isFrame(topic string) bool {
	_, k := picture("cam", topic)
	return k == frame
}

// expect compares what somebody got, as topic=payload, with the topics he should have got.
func (r *role) expect(t *testing.T, what string, got, topics []string) {
	t.Helper()
	var have []string
	for _, m := range got {
		topic, _, _ := strings.Cut(m, "=")
		have = append(have, topic)
	}
	slices.Sort(have)
	have = slices.Compact(have) // a newer picture may have taken the place of one
	want := slices.Compact(slices.Sorted(slices.Values(topics)))
	if !slices.Equal(have, want) {
		for _, x := range have {
			if !slices.Contains(want, x) {
				t.Errorf("%s: got %s", what, x)
			}
		}
		for _, x := range want {
			if !slices.Contains(have, x) {
				t.Errorf("%s: did not get %s", what, x)
			}
		}
		if len(have) != len(want) {
			t.Errorf("%s: %d messages, want %d", what, len(have), len(want))
		}
	}
	r.cases += len(r.topics)
}

func (r *role) with(letter string) []string {
	var out []string
	for _, topic := range r.topics {
		if r.may(topic, letter) {
			out = append(out, topic)
		}
	}
	return out
}

// says publishes to every topic and looks at what arrives and what is retained.
func (r *role) says(t *testing.T) {
	c, code := r.join(t)
	if code != 0 {
		t.Fatalf("CONNACK %#x", code)
	}
	for i, topic := range r.topics {
		c.publish(t, topic, []byte("x"), 1, false)
		pk := c.want(t, packets.Puback)
		if refused := pk.ReasonCode == packets.ErrNotAuthorized.Code; r.v == 5 && refused == r.may(topic, "p") {
			t.Errorf("publish to %s: PUBACK %#x", topic, pk.ReasonCode)
		}
		if i%20 == 19 {
			c.sync(t)
		}
	}
	r.expect(t, "publish", r.hub.drained(t), r.with("p"))
	for _, topic := range r.topics {
		c.publish(t, topic, []byte("kept"), 0, true)
	}
	c.sync(t)
	r.expect(t, "publish retained", r.hub.drained(t), r.with("p"))
	var kept []string
	for _, topic := range r.with("r") {
		if !isFrame(topic) { // topics.md: never retained
			kept = append(kept, topic)
		}
	}
	late := r.guarded.hub(t, "late")
	late.subscribe(t, 0, "#")
	r.expect(t, "retained", late.drained(t), kept)
	for _, topic := range kept {
		late.publish(t, topic, nil, 0, true)
	}
	late.sync(t)
	r.hub.drained(t)
}

// sees subscribes to every topic and to wildcards, each also shared, and looks at what
// comes live and retained.
func (r *role) sees(t *testing.T) {
	filters := append(slices.Clone(r.topics), "#", "+/#", "cam/#", "cam/+/+", "cam/+/frame", "cam/+/cmd", "+/front/#", "cam/other/#", "cam/+/set/+", "homeassistant/#", "+/+/status")
	for _, retained := range []bool{false, true} {
		if retained {
			for _, topic := range r.topics {
				r.hub.publish(t, topic, []byte("kept"), 0, true)
			}
			r.hub.drained(t)
		}
		for _, group := range []string{"", "$share/g/"} {
			if group != "" && retained { // [MQTT-4.8.2-3]: nothing retained is sent
				continue
			}
			c, code := r.join(t)
			if code != 0 {
				t.Fatalf("CONNACK %#x", code)
			}
			for _, f := range filters {
				r.filter(t, c, group+f, f, retained)
			}
		}
	}
	for _, topic := range r.topics {
		r.hub.publish(t, topic, nil, 0, true)
	}
	r.hub.drained(t)
}

// filter subscribes to one filter.
func (r *role) filter(t *testing.T, c *client, filter, plain string, retained bool) {
	t.Helper()
	var want []string
	for _, topic := range r.topics {
		if mqtt.Matches(plain, topic) && r.may(topic, "s") && !(retained && isFrame(topic)) {
			want = append(want, topic)
		}
	}
	seen := slices.ContainsFunc(r.topics, func(topic string) bool { return mqtt.Matches(plain, topic) && r.may(topic, "s") })
	code := c.subscribe(t, 0, filter)[0]
	if denied := code >= 0x80; denied == seen {
		t.Errorf("subscribe to %s: SUBACK %#x, but he sees some of it: %v", filter, code, seen)
	}
	if !retained {
		for _, topic := range r.topics {
			if mqtt.Matches(plain, topic) {
				r.hub.publish(t, topic, []byte("x"), 0, false)
			}
		}
		r.hub.drained(t)
	}
	r.expect(t, "subscribed to "+filter, c.drained(t), want)
	r.cases -= len(r.topics) - 1
	c.id++
	if err := c.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Unsubscribe}, PacketID: c.id, Filters: packets.Subscriptions{{Filter: filter}}}); err != nil {
		t.Fatal(err)
	}
	c.want(t, packets.Unsuback)
}

// wills connects with every topic as a will, retained and not, and goes without a word.
func (r *role) wills(t *testing.T) {
	var want, wantKept []string
	for _, topic := range r.topics {
		for _, retain := range []bool{false, true} {
			c, code := r.join(t, withWill(topic, "gone", retain))
			may := r.may(topic, "w") && (!retain || r.may(topic, "r"))
			if (code == 0) != may {
				t.Errorf("will on %s, retained %t: CONNACK %#x", topic, retain, code)
			}
			if code != 0 && code != packets.ErrNotAuthorized.Code && code != 5 {
				t.Errorf("will on %s: CONNACK %#x, want that it is not authorized", topic, code)
			}
			_ = c.c.Close()
			if may {
				want = append(want, topic)
			}
			if may && retain && !isFrame(topic) {
				wantKept = append(wantKept, topic)
			}
			r.cases++
		}
	}
	testkit.Until(t, "all have gone", func() bool { return r.Stats().Clients == 1 })
	r.expect(t, "wills", r.hub.drained(t), want)
	late := r.retains(t, "retained wills", wantKept)
	_ = late.c.Close()
	testkit.Until(t, "late has gone", func() bool { return r.Stats().Clients == 1 })
}

// A2. Every role on every topic, in every way a client has, in both versions of the
// protocol and by both transports, is as rights.txt has it.
func TestRightsTable(t *testing.T) {
	topics, table := rightstable.Table(t)
	cases := 0
	columns := []string{"reader", "anyone"}
	for _, a := range rightstable.Accounts() {
		columns = append(columns, a.Name)
	}
	for _, name := range columns {
		for _, v := range []byte{4, 5} {
			for _, web := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s-v%d-web-%t", name, v, web), func(t *testing.T) {
					g := startLimited(t, Limits{CommandRate: 1 << 20, CommandBurst: 1 << 20}, access.AnonymousAll, rightstable.Accounts()...)
					if name == "reader" {
						g.identify = func(c *conn, user, secret string) (access.Principal, error) {
							p, err := g.rights.identify(c, user, secret)
							if p.Role == access.Anyone {
								p.Role = access.Reader
							}
							return p, err
						}
					}
					g.page(t)
					r := &role{guarded: g, name: name, v: v, web: web, topics: topics, hub: g.hub(t, "hub")}
					r.may = func(topic, letter string) bool { return strings.Contains(table[topic][name], letter) }
					r.hub.subscribe(t, 0, "#")
					r.says(t)
					r.clears(t)
					r.sees(t)
					testkit.Until(t, "the others have gone", func() bool {
						for _, c := range g.conns.list() {
							if c.established.Load() && c.who.Role != access.Hub {
								c.kick(mqtt.ServerShuttingDown)
							}
						}
						for _, c := range g.conns.list() {
							if c.id == insideIDs+"late" {
								c.kick(mqtt.ServerShuttingDown)
							}
						}
						return g.Stats().Clients == 1
					})
					r.wills(t)
					cases += r.cases
				})
			}
		}
	}
	t.Logf("%d cases", cases)
}
