package node_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"camqtt/internal/testkit"
	"camqtt/internal/testkit/faketime"
	"camqtt/internal/wire"
	"camqtt/node"
)

// broker stands for the connection: it records what is published and can be
// down, slow, or forget to acknowledge.
type broker struct {
	mu    sync.Mutex
	up    bool
	slow  time.Duration // what one call takes
	fail  bool          // messages arrive, acknowledgements do not
	sent  []sent
	calls int // publishes under way
	peak  int // most pictures under way at once
	most  int // a larger message ends the connection; 0: none does
	cuts  int // how often that was
}

type sent struct {
	wire.Message
	at time.Time
}

var errDown = errors.New("down")

func (b *broker) Publish(ctx context.Context, msgs ...wire.Message) error {
	b.mu.Lock()
	up, slow := b.up, b.slow
	picture := false
	for _, m := range msgs {
		picture = picture || m.QoS == 0 && len(m.Payload) > 0 && m.Payload[0] == 0xff
	}
	if picture {
		b.calls++
		b.peak = max(b.peak, b.calls)
	}
	b.mu.Unlock()
	defer func() {
		if picture {
			b.mu.Lock()
			b.calls--
			b.mu.Unlock()
		}
	}()
	if !up {
		return errDown
	}
	if slow > 0 {
		select {
		case <-time.After(slow):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range msgs {
		if b.most > 0 && len(m.Payload) > b.most {
			b.up = false
			b.cuts++
			return errDown
		}
		b.sent = append(b.sent, sent{m, time.Now()})
	}
	if b.fail {
		return errDown
	}
	return nil
}

func (b *broker) set(change func(*broker)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change(b)
}

// take returns what was published since the last take.
func (b *broker) take() []sent {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.sent
	b.sent = nil
	return s
}

// bench is a node with a broker and a camera, inside a bubble of fake time.
type bench struct {
	*testing.T
	node   *node.Node
	broker *broker
	camera *testkit.Camera
	stop   context.CancelFunc
	done   chan error
}

// start runs a node called porch, connected.
func start(t *testing.T, change func(*node.Options, *testkit.Camera)) *bench {
	t.Helper()
	small := [][]byte{testkit.JPEG(t, 64, 48, 1, 0), testkit.JPEG(t, 64, 48, 2, 0), testkit.JPEG(t, 64, 48, 3, 0)}
	b := &bench{T: t, broker: &broker{}, done: make(chan error, 1)}
	b.camera = &testkit.Camera{Picture: func(n int) []byte { return small[n%3] }}
	o := node.Options{ID: "porch", Source: b.camera, Link: b.broker, Log: testkit.Log(t)}
	if change != nil {
		change(&o, b.camera)
	}
	var err error
	if b.node, err = node.New(o); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	b.stop = stop
	go func() { b.done <- b.node.Serve(ctx) }() // ends with the test: end waits
	b.connect()
	return b
}

// settings reads settings of the configuration, such as "keep_warm=1m".
func settings(t *testing.T, pairs ...string) (all []wire.Change) {
	t.Helper()
	for _, pair := range pairs {
		key, value, _ := strings.Cut(pair, "=")
		c, err := wire.ParseChange(key, value)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	return all
}

// bubble runs f on fake time; a goroutine left behind fails the test.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	faketime.Run(t, f)
}

func (b *bench) connect() {
	b.broker.set(func(x *broker) { x.up = true })
	b.node.LinkUp()
	synctest.Wait()
}

func (b *bench) cut() {
	b.broker.set(func(x *broker) { x.up = false })
	b.node.LinkDown(errDown)
	synctest.Wait()
}

// pass lets fake time pass.
func (b *bench) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// say sends a message to a topic of the camera.
func (b *bench) say(topic, payload string) {
	b.node.Handle(wire.Message{Topic: "cam/" + topic, Payload: []byte(payload)})
	synctest.Wait()
}

// end stops the node.
func (b *bench) end() {
	b.Helper()
	b.stop()
	if err := <-b.done; err != nil {
		b.Error(err)
	}
}

// of returns the messages of one kind.
func of(all []sent, k wire.Kind) []sent {
	var got []sent
	for _, m := range all {
		if m.Topic == "cam/porch/"+string(k) {
			got = append(got, m)
		}
	}
	return got
}

// results returns the results among messages.
func results(t *testing.T, all []sent) []wire.Result {
	t.Helper()
	var got []wire.Result
	for _, m := range of(all, wire.KindResult) {
		var r wire.Result
		if err := json.Unmarshal(m.Payload, &r); err != nil {
			t.Fatal(err)
		}
		got = append(got, r)
	}
	return got
}

// state returns the newest state among messages.
func state(t *testing.T, all []sent) wire.State {
	t.Helper()
	states := of(all, wire.KindState)
	if len(states) == 0 {
		t.Fatal("no state was published")
	}
	var s wire.State
	if err := json.Unmarshal(states[len(states)-1].Payload, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// kinds lists the last levels of topics, in order.
func kinds(all []sent) []string {
	var got []string
	for _, m := range all {
		got = append(got, m.Topic[len("cam/porch/"):])
	}
	return got
}
