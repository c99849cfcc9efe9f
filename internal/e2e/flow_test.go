package e2e

import (
	"context"
	"encoding/json"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"camqtt/broker"
	"camqtt/internal/jpeg"
	"camqtt/internal/mqttclient"
	"camqtt/internal/run"
	"camqtt/internal/testkit"
	"camqtt/internal/testkit/faketime"
	"camqtt/internal/wire"
	"camqtt/node"
	"camqtt/node/camera"
	"camqtt/node/camera/kinds"
)

// house is the whole product in one bubble of fake time: the real broker, the
// real MQTT client, real nodes and drawn cameras, joined by pipes.
type house struct {
	t      *testing.T
	broker *broker.Broker
	done   chan error

	mu   sync.Mutex
	line net.Conn // the porch's end of its newest connection
	got  []wire.Message
}

func (h *house) dial(keep bool) func(context.Context) (net.Conn, error) {
	return func(context.Context) (net.Conn, error) {
		near, far := net.Pipe()
		if keep {
			h.mu.Lock()
			h.line = near
			h.mu.Unlock()
		}
		go h.broker.Attach(context.Background(), far) // ends with either end of the pipe, or the broker
		return near, nil
	}
}

// viewer is a plain MQTT client that records everything.
func (h *house) viewer() *mqttclient.Link {
	l, err := mqttclient.New(mqttclient.Options{
		ClientID: "eye", Log: testkit.Log(h.t), Dial: h.dial(false),
		Subscriptions: []mqttclient.Subscription{{Filter: "cam/#", QoS: 1}},
		Receive: func(m wire.Message) {
			h.mu.Lock()
			defer h.mu.Unlock()
			m.Payload = slices.Clone(m.Payload)
			h.got = append(h.got, m)
		},
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return l
}

func (h *house) porch() run.Service {
	source, err := kinds.Open("test:320x240", camera.Options{Log: testkit.Log(h.t)})
	if err != nil {
		h.t.Fatal(err)
	}
	late := new(lateLink)
	n, err := node.New(node.Options{ID: "porch", Source: source, Link: late, Log: testkit.Log(h.t)})
	if err != nil {
		h.t.Fatal(err)
	}
	var subs []mqttclient.Subscription
	for _, f := range append(n.Filters(), n.OptionalFilters()...) {
		subs = append(subs, mqttclient.Subscription{Filter: f, QoS: 1})
	}
	will := n.Will()
	late.Link, err = mqttclient.New(mqttclient.Options{
		ClientID: n.ClientID(), Log: testkit.Log(h.t), Dial: h.dial(true), Will: &will, Subscriptions: subs,
		Receive: n.Handle, Up: n.LinkUp, Down: n.LinkDown,
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return run.Func(func(ctx context.Context) error {
		return run.All(ctx, run.Named{Name: "connection", Service: late}, run.Named{Name: "node", Service: n})
	})
}

type lateLink struct{ *mqttclient.Link }

// start runs a service until the returned function is called.
func (h *house) start(name string, s run.Service) context.CancelFunc {
	ctx, stop := context.WithCancel(context.Background())
	go func() { h.done <- run.All(ctx, run.Named{Name: name, Service: s}) }() // ends with stop
	pass(2 * time.Second)
	return stop
}

// end waits for n services that were stopped.
func (h *house) end(n int) {
	for range n {
		if err := <-h.done; err != nil {
			h.t.Error(err)
		}
	}
}

// take returns the messages of some kinds since the last take.
func (h *house) take(kinds ...wire.Kind) []wire.Message {
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	all := h.got
	h.got = nil
	return slices.DeleteFunc(all, func(m wire.Message) bool {
		return !slices.ContainsFunc(kinds, func(k wire.Kind) bool { return m.Topic == "cam/porch/"+string(k) })
	})
}

func pass(d time.Duration) {
	time.Sleep(d) // fake time
	synctest.Wait()
}

// TestFlow lives through a command, live pictures, the end of a lease, the
// linger, a cut connection and the order of shutting down.
func TestFlow(t *testing.T) {
	faketime.Run(t, func(t *testing.T) {
		b, err := broker.New(broker.Options{Log: testkit.Log(t)})
		if err != nil {
			t.Fatal(err)
		}
		h := &house{t: t, broker: b, done: make(chan error, 3)}
		eye := h.viewer()
		ctx := t.Context()
		stopBroker, stopEye, stopPorch := h.start("broker", b), h.start("eye", eye), h.start("porch", h.porch())
		say := func(payload string) {
			t.Helper()
			if err := eye.Publish(ctx, wire.Message{Topic: "cam/porch/cmd", Payload: []byte(payload), QoS: 1}); err != nil {
				t.Fatal(err)
			}
		}
		pass(5 * time.Second)
		if got := h.take(wire.KindStatus, wire.KindInfo, wire.KindState); len(got) != 3 || statuses(got) != "online" {
			t.Errorf("on connect %s", names(got))
		}

		say("snap id=s1")
		pass(time.Second)
		got := h.take(wire.KindFrame, wire.KindPreview, wire.KindMeta, wire.KindSnapshot, wire.KindEvent, wire.KindResult)
		if want := "frame preview snapshot/meta snapshot event result"; names(got) != want {
			t.Errorf("a snap brought %s, want %s", names(got), want)
		}
		for _, m := range got[:min(1, len(got))] {
			if _, err := jpeg.Scan(m.Payload); err != nil {
				t.Errorf("%s: %v", m.Topic, err)
			}
		}

		say("start viewer=v for=10s")
		pass(9 * time.Second)
		if n := len(h.take(wire.KindFrame)); n < 85 || n > 95 {
			t.Errorf("%d frames in 9 s of 10 fps", n)
		}
		pass(2 * time.Second) // the lease has run out
		h.take()
		pass(5 * time.Second)
		if n := len(h.take(wire.KindFrame)); n != 0 {
			t.Errorf("%d frames after the lease", n)
		}

		say("start viewer=v for=1h")
		pass(time.Second)
		h.take()
		h.mu.Lock()
		h.line.Close() // the connection is cut
		h.mu.Unlock()
		pass(10 * time.Second)
		got = h.take(wire.KindStatus, wire.KindFrame)
		if s := statuses(got); s != "offline online" {
			t.Errorf("around the cut: %s", s)
		}
		if n := len(got) - 2; n < 70 {
			t.Errorf("%d frames in the 10 s after a cut", n)
		}

		stopPorch()
		pass(time.Second)
		if got := h.take(wire.KindStatus); statuses(got) != "offline" {
			t.Errorf("at the end the camera said %q, want offline", statuses(got))
		}
		stopEye()
		stopBroker()
		h.end(3)
	})
}

func names(all []wire.Message) string {
	var s []string
	for _, m := range all {
		s = append(s, strings.TrimPrefix(m.Topic, "cam/porch/"))
	}
	return strings.Join(s, " ")
}

func statuses(all []wire.Message) string {
	var s []string
	for _, m := range all {
		if m.Topic == "cam/porch/status" {
			s = append(s, string(m.Payload))
		}
	}
	return strings.Join(s, " ")
}

// TestTwins runs two nodes of one id: one stands by, and serves once the other has gone.
func TestTwins(t *testing.T) {
	faketime.Run(t, func(t *testing.T) {
		b, err := broker.New(broker.Options{Log: testkit.Log(t)})
		if err != nil {
			t.Fatal(err)
		}
		h := &house{t: t, broker: b, done: make(chan error, 4)}
		eye := h.viewer()
		stopBroker, stopEye := h.start("broker", b), h.start("eye", eye)
		stopFirst, stopSecond := h.start("first", h.porch()), h.start("second", h.porch())
		snap := func() int {
			h.take()
			if err := eye.Publish(t.Context(), wire.Message{Topic: "cam/porch/cmd", Payload: []byte("snap"), QoS: 1}); err != nil {
				t.Fatal(err)
			}
			pass(2 * time.Second)
			return len(h.take(wire.KindResult))
		}
		pass(5 * time.Second)
		last := h.take(wire.KindInfo, wire.KindState)
		var s wire.State
		if err := json.Unmarshal(last[len(last)-1].Payload, &s); err != nil || s.Error == nil || s.Error.Code != wire.Config {
			t.Errorf("the last word on state is %s, want one on the second node", last[len(last)-1].Payload)
		}
		if n := snap(); n != 1 {
			t.Errorf("%d results for one snap of two nodes", n)
		}
		pass(5 * time.Minute)
		for _, m := range h.take(wire.KindInfo) {
			if !strings.Contains(string(m.Payload), `"standby":true`) {
				t.Errorf("the two nodes fought: %s", m.Payload)
			}
		}
		stopFirst()
		pass(2 * time.Second)
		if n := snap(); n != 1 {
			t.Errorf("%d results once the first node has gone", n)
		}
		for _, stop := range []func(){stopSecond, stopEye, stopBroker} {
			stop()
		}
		h.end(4)
	})
}
