package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"camqtt/internal/mqttclient"
	"camqtt/internal/testkit"
	"camqtt/internal/wire"
)

// client is a plain MQTT client that keeps results.
type client struct {
	*mqttclient.Link
	mu      sync.Mutex
	results []wire.Result
}

func (c *client) take() []wire.Result {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.results
	c.results = nil
	return r
}

func (c *client) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.results)
}

// connect joins a broker and listens to the results of one camera.
func connect(t *testing.T, url, id string) *client {
	t.Helper()
	c := &client{}
	c.Link = connected(t, mqttclient.Options{
		URLs: []string{url}, ClientID: "tester-" + id, Log: testkit.Log(t),
		Subscriptions: []mqttclient.Subscription{{Filter: "cam/" + id + "/result", QoS: 1}},
		Receive: func(m wire.Message) {
			var r wire.Result
			if err := json.Unmarshal(m.Payload, &r); err != nil {
				t.Errorf("result %s: %v", m.Payload, err)
			}
			if r.Cmd == string(wire.Hello) { // an answer to ls, which comes when it likes
				return
			}
			c.mu.Lock()
			defer c.mu.Unlock()
			c.results = append(c.results, r)
		},
	})
	return c
}

// TestSnapStorm fires 1,000 snaps as fast as they go: each gets one result, the
// camera takes fewer pictures, and afterwards all is as before.
func TestSnapStorm(t *testing.T) {
	d := startDemo(t)
	c := connect(t, d.mqtt, "porch")
	for i := range 1000 {
		if err := c.Publish(t.Context(), wire.Message{Topic: "cam/porch/cmd", Payload: fmt.Appendf(nil, "snap id=%d", i)}); err != nil {
			t.Fatal(err)
		}
	}
	testkit.Until(t, "every snap has its result", func() bool { return c.count() >= 1000 })
	seen := map[string]int{}
	most := uint64(0)
	for _, r := range c.take() {
		if !r.OK {
			t.Errorf("result %+v", r)
		}
		seen[r.ID]++
		most = max(most, r.Seq)
	}
	if len(seen) != 1000 {
		t.Errorf("%d of 1000 snaps have a result", len(seen))
	}
	if most > 500 { // the broker spreads the commands over 16 s
		t.Errorf("%d pictures were taken", most)
	}
	must(t, "snap", "porch", "--broker", d.mqtt, "-o", filepath.Join(t.TempDir(), "p.jpg"))
}

// TestGarbage publishes what no camera understands, on every topic it obeys and
// on those it publishes, and opens connections that speak no MQTT. The camera
// answers, and everybody else goes on.
func TestGarbage(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	c := connect(t, d.mqtt, "porch")
	for name, g := range map[string]struct {
		topic   string
		payload []byte
		code    wire.Code
	}{
		"1 MB":        {"cmd", bytes.Repeat([]byte("snap "), 200_000), wire.BadArgument},
		"half JSON":   {"cmd", []byte(`{"cmd":"snap"`), wire.BadArgument},
		"binary":      {"cmd", []byte{0xff, 0xd8, 0, 1, 2}, wire.UnknownCommand},
		"fps -1":      {"cmd", []byte("start fps=-1"), wire.BadArgument},
		"for 1e9h":    {"cmd", []byte("start for=1e9h"), wire.BadArgument},
		"old":         {"cmd", []byte(`{"cmd":"snap","ts":"2001-01-01T00:00:00Z"}`), wire.Expired},
		"set nothing": {"set", []byte(`[]`), wire.BadArgument},
		"set unknown": {"set/colour", []byte("red"), wire.BadArgument},
		"set wrong":   {"set/fps", []byte("fast"), wire.BadArgument},
	} {
		if err := c.Publish(t.Context(), wire.Message{Topic: "cam/porch/" + g.topic, Payload: g.payload, QoS: 1}); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		testkit.Until(t, name+" has a result", func() bool { return c.count() > 0 })
		if r := c.take(); len(r) != 1 || r[0].OK || r[0].Code != g.code || r[0].Text == "" {
			t.Errorf("%s: results %+v, want %s", name, r, g.code)
		}
	}
	for _, topic := range []string{"status", "info", "state", "stats", "event", "frame", "snapshot/meta", "nonsense"} {
		if err := c.Publish(t.Context(), wire.Message{Topic: "cam/porch/" + topic, Payload: []byte("\x00\xffnonsense"), QoS: 1}); err != nil {
			t.Fatal(err)
		}
	}
	for _, junk := range []string{"GET / HTTP/1.0\r\n\r\n", "\x82\x02\x00\x01", strings.Repeat("\xff", 1000), "\x10\xff\xff\xff\x7f"} {
		conn, err := net.Dial("tcp", d.host+":"+d.port)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(conn, junk)
		conn.Close()
	}
	must(t, "snap", "porch", "--broker", d.mqtt, "-o", filepath.Join(t.TempDir(), "p.jpg"))
	must(t, "snap", "garden", "--broker", d.mqtt, "-o", filepath.Join(t.TempDir(), "g.jpg"))
}

// TestBadSources runs cameras that cannot work beside one that does.
func TestBadSources(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put := func(name string, b []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	whole := testkit.JPEG(t, 320, 240, 1, 0)
	for _, sub := range []string{"half", "text", "big"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	put("half/a.jpg", whole[:len(whole)/2])
	put("text/a.jpg", []byte("not a picture"))
	put("big/a.jpg", testkit.JPEG(t, 2400, 2000, 1, 255))
	if n := len(read(t, filepath.Join(dir, "big/a.jpg"))); n < 2_000_000 {
		t.Fatalf("the big picture has only %d bytes", n)
	}
	h := startHub(t, "broker.listen=127.0.0.1:0", "broker.data=", "cameras.good.source=test:",
		"cameras.half.source=dir:"+dir+"/half", "cameras.text.source=dir:"+dir+"/text", "cameras.big.source=dir:"+dir+"/big",
		"cameras.dies.source=exec:false", "cameras.missing.source=exec:no-such-program", "cameras.gone.source=http://127.0.0.1:1/")
	for id, code := range map[string]string{
		"half": "no_camera", "text": "no_camera", "dies": "no_camera", "missing": "config", "gone": "no_camera",
	} {
		online(t, h.mqtt, id)
		began := time.Now()
		if _, stderr, status := camqtt(t, "snap", id, "--broker", h.mqtt, "-o", filepath.Join(dir, "x.jpg")); status != 1 || !strings.Contains(stderr, code) {
			t.Errorf("%s: exit %d after %s, want %s:\n%s", id, status, time.Since(began).Round(time.Millisecond), code, stderr)
		}
	}
	must(t, "snap", "good", "--broker", h.mqtt, "-o", filepath.Join(dir, "good.jpg"))
	smaller := filepath.Join(dir, "big.jpg")
	must(t, "snap", "big", "--broker", h.mqtt, "-o", smaller)
	if n := len(read(t, smaller)); n > 900_000 {
		t.Errorf("the big picture was sent with %d bytes, want at most 900000", n)
	}
}

// TestBadConfiguration checks that nothing starts on a configuration with
// faults, and that every fault is named with its place.
func TestBadConfiguration(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "bad.yaml")
	text := `broker:
  listen: 127.0.0.1:1883
  colour: red
cameras:
  - id: front.door
    source: test
  - id: a
    source: test
    fps: fast
  - id: a
    source: teapot:/dev/x
`
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, cmd := range []string{"run", "check"} {
		out, stderr, status := camqtt(t, cmd, "-c", file)
		if status != 2 || len(out) != 0 {
			t.Errorf("%s: exit %d, printed %s", cmd, status, out)
		}
		for _, want := range []string{
			file + ":3: broker.colour: ", file + ":5: ", file + ":9: ", file + ":10: ", file + ":11: ",
		} {
			if !strings.Contains(stderr, want) {
				t.Errorf("%s does not say %q:\n%s", cmd, want, stderr)
			}
		}
	}
}
