package announce

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"camqtt/internal/homeassistant"
	"camqtt/internal/testkit"
	"camqtt/internal/testkit/faketime"
	"camqtt/internal/wire"
)

// broker keeps retained messages and hands everything to all who are connected.
type broker struct {
	mu     sync.Mutex
	kept   map[string]string
	seen   []wire.Message // published, in order
	on     []*client
	refuse bool // ends the connection of whoever publishes discovery
}

// client is an announcer with its connection.
type client struct {
	*Announcer
	b    *broker
	up   bool
	mute bool // may not read: neither kept messages nor others' arrive

	early bool // what is kept comes before LinkUp
}

var errLost = errors.New("connection lost")

func (b *broker) publish(msgs ...wire.Message) {
	b.mu.Lock()
	for _, m := range msgs {
		b.seen = append(b.seen, m)
		if m.Retained {
			if len(m.Payload) == 0 {
				delete(b.kept, m.Topic)
			} else {
				b.kept[m.Topic] = string(m.Payload)
			}
		}
	}
	on := slices.Clone(b.on)
	b.mu.Unlock()
	for _, c := range on {
		for _, m := range msgs {
			m.Retained = false
			if c.up && !c.mute {
				c.Handle(m)
			}
		}
	}
}

// Publish is what an announcer calls.
func (c *client) Publish(_ context.Context, msgs ...wire.Message) error {
	if !c.up {
		return errLost
	}
	if c.b.refuse {
		c.b.mu.Lock()
		c.b.seen = append(c.b.seen, msgs...)
		c.b.mu.Unlock()
		c.disconnect()
		return errLost
	}
	c.b.publish(msgs...)
	return nil
}

func (c *client) connect() {
	c.up = true
	if !c.early { // what is kept may come before anybody notices that the connection is up
		c.LinkUp()
	} else {
		defer c.LinkUp()
	}
	c.b.mu.Lock()
	kept := maps.Clone(c.b.kept)
	c.b.mu.Unlock()
	for _, topic := range slices.Sorted(maps.Keys(kept)) {
		if !c.mute {
			c.Handle(wire.Message{Topic: topic, Payload: []byte(kept[topic]), QoS: 1, Retained: true})
		}
	}
}

func (c *client) disconnect() {
	c.up = false
	c.LinkDown(errLost)
}

// take returns the topics published since the last take, without the prefix.
func (b *broker) take() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var topics []string
	for _, m := range b.seen {
		topic := strings.TrimPrefix(m.Topic, "homeassistant/")
		if len(m.Payload) == 0 {
			topic = "-" + topic
		}
		topics = append(topics, topic)
	}
	b.seen = nil
	return topics
}

type bubble struct {
	*testing.T
	*broker
}

// inBubble runs a test on fake time, with a broker that keeps nothing yet.
func inBubble(t *testing.T, f func(b *bubble)) {
	t.Helper()
	faketime.Run(t, func(t *testing.T) {
		f(&bubble{t, &broker{kept: map[string]string{}}})
	})
}

// start runs an announcer that is not connected yet.
func (b *bubble) start(o Options) *client {
	b.Helper()
	c := &client{b: b.broker}
	o.Link, o.Log = c, testkit.Log(b.T)
	var err error
	if c.Announcer, err = New(o); err != nil {
		b.Fatal(err)
	}
	b.mu.Lock()
	b.on = append(b.on, c)
	b.mu.Unlock()
	ctx, stop := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- c.Serve(ctx) }() // ends with the test: the cleanup waits
	b.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			b.Error(err)
		}
	})
	return c
}

func (b *bubble) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// want fails unless just these topics have been published since.
func (b *bubble) want(when string, topics ...string) {
	b.Helper()
	if got := b.take(); !slices.Equal(got, topics) {
		b.Errorf("%s: published %v, want %v", when, got, topics)
	}
}

func info(id wire.ID) wire.Info {
	return wire.Info{Schema: wire.Schema, ID: id, Name: string(id), Source: "test", Caps: []string{"fps"}, MaxFPS: 10}
}

func infoMessage(t testing.TB, i wire.Info) wire.Message {
	b, err := wire.JSON(i)
	if err != nil {
		t.Fatal(err)
	}
	return wire.Message{Topic: "cam/" + string(i.ID) + "/info", Payload: b, QoS: 1, Retained: true}
}

const (
	frontTopic = "device/camqtt_front/config"
	hubTopic   = "cam/_hub/discovery"
)

func birth() wire.Message {
	return wire.Message{Topic: "homeassistant/status", Payload: []byte("online")}
}

func TestNodeAnnouncesOnceASecondAndOnlyChanges(t *testing.T) {
	inBubble(t, func(b *bubble) {
		c := b.start(Options{Camera: "front"})
		i := info("front")
		c.connect()
		c.Info(&i)
		b.pass(900 * time.Millisecond)
		b.want("before it has settled")
		for range 5 { // people slide
			i.Caps = append(i.Caps, "size")
			c.Info(&i)
		}
		b.pass(200 * time.Millisecond)
		b.want("a second after connecting", frontTopic)
		c.Info(&i)
		b.pass(time.Minute)
		b.want("told the same again")
		c.disconnect()
		c.connect()
		b.pass(time.Minute)
		b.want("connected again, and the broker keeps it")
		i.Name = "Front door"
		c.Info(&i)
		b.pass(2 * time.Second)
		b.want("renamed", frontTopic)
		if kept := b.kept["homeassistant/"+frontTopic]; !strings.Contains(kept, "Front door") {
			t.Errorf("kept is %s", kept)
		}
		clear(b.kept) // the broker has lost what it kept
		c.disconnect()
		c.connect()
		b.pass(2 * time.Second)
		b.want("the broker has forgotten", frontTopic)
	})
}

func TestBirthIsAnsweredAfterOneToFiveSeconds(t *testing.T) {
	inBubble(t, func(b *bubble) {
		c := b.start(Options{Camera: "front"})
		i := info("front")
		c.Info(&i)
		c.connect()
		old := birth()
		old.Retained = true
		b.pass(2 * time.Second)
		b.take()
		c.Handle(old)
		b.pass(10 * time.Second)
		b.want("a retained birth message")
		for n := range 20 {
			b.publish(birth())
			b.publish(birth()) // Home Assistant says it twice: one answer
			b.take()
			start := time.Now()
			for len(b.broker.take()) == 0 {
				b.pass(10 * time.Millisecond)
				if time.Since(start) > 6*time.Second {
					t.Fatalf("birth message %d was not answered", n)
				}
			}
			if took := time.Since(start); took < time.Second || took > 5100*time.Millisecond {
				t.Errorf("answered after %s, want 1 to 5 s", took)
			}
			b.pass(10 * time.Second)
			b.want("answered already")
		}
		b.publish(wire.Message{Topic: "homeassistant/status", Payload: []byte("offline")})
		b.take()
		b.pass(10 * time.Second)
		b.want("Home Assistant has gone")
	})
}

func TestNodeLeavesItToTheHub(t *testing.T) {
	inBubble(t, func(b *bubble) {
		hub := b.start(Options{})
		node := b.start(Options{Camera: "front"})
		node.early = true
		hub.connect()
		b.pass(1500 * time.Millisecond)
		b.want("the hub is up", hubTopic)
		i := info("front")
		i.Version = "of the node"
		node.connect()
		node.Info(&i)
		b.publish(infoMessage(t, i))
		b.take()
		b.pass(10 * time.Second)
		b.want("the hub announces, the node does not", frontTopic)
		b.publish(birth())
		b.take()
		b.pass(10 * time.Second)
		b.want("Home Assistant has started", hubTopic, frontTopic)
		node.disconnect()
		node.connect()
		i.Name = "Renamed"
		node.Info(&i)
		b.pass(10 * time.Second)
		b.want("renamed, but the hub was not told")
		b.publish(wire.Message{Topic: hubTopic, Retained: true}) // the hub is no more
		hub.disconnect()
		b.take()
		b.pass(5 * time.Second)
		b.want("the node takes over", frontTopic)
	})
}

// Some brokers end the connection of who publishes what it may not.
func TestRefusedDiscoveryIsGivenUp(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.refuse = true
		c := b.start(Options{Camera: "front"})
		i := info("front")
		c.Info(&i)
		lost := 0
		for range 50 {
			if !c.up {
				lost++
				c.connect()
			}
			b.publish(birth())
			b.pass(10 * time.Second)
		}
		if lost != maxStrikes+1 { // the first is the connect of this test
			t.Errorf("%d connections, want %d: then the node stays without discovery", lost, maxStrikes+1)
		}
	})
}

// A broker that lets an account read nothing is told once per connection.
func TestBrokerThatTellsNothing(t *testing.T) {
	inBubble(t, func(b *bubble) {
		c := b.start(Options{Camera: "front"})
		c.mute = true
		i := info("front")
		c.Info(&i)
		for range 3 {
			c.connect()
			b.pass(time.Hour)
			b.want("connected", frontTopic)
			c.disconnect()
		}
	})
}

func TestStandbyNodeIsSilent(t *testing.T) {
	inBubble(t, func(b *bubble) {
		c := b.start(Options{Camera: "front"})
		i := info("front")
		c.connect()
		c.Info(&i)
		c.Info(nil)
		b.pass(10 * time.Second)
		b.want("another node serves")
		c.Info(&i)
		b.pass(2 * time.Second)
		b.want("it steps in", frontTopic)
	})
}

func TestNewRefuses(t *testing.T) {
	log := testkit.Log(t)
	for name, o := range map[string]Options{
		"nothing": {},
		"prefix":  {Link: &client{}, Log: log, Hass: homeassistant.Options{Prefix: "#"}},
		"id":      {Link: &client{}, Log: log, Camera: "a/b"},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%s: New gave no error", name)
		}
	}
}

// FuzzHandle gives the hub whatever a camera may publish.
func FuzzHandle(f *testing.F) {
	f.Add("cam/front/info", []byte(`{"id":"front","caps":["size"],"sizes":["640x480"],"bridge":"x"}`), true)
	f.Add("homeassistant/device/camqtt_front/config", []byte(`{}`), false)
	f.Add("homeassistant/switch/camqtt_front/live/config", []byte(nil), true)
	f.Add("homeassistant/status", []byte("online"), false)
	f.Add("cam/_hub/discovery", []byte(`{"discovery":"off"}`), true)
	f.Fuzz(func(t *testing.T, topic string, payload []byte, retained bool) {
		c := &client{b: &broker{kept: map[string]string{}}}
		for _, camera := range []wire.ID{"", "front"} {
			a, err := New(Options{Link: c, Log: testkit.Log(t), Camera: camera})
			if err != nil {
				t.Fatal(err)
			}
			a.LinkUp()
			a.Handle(wire.Message{Topic: topic, Payload: payload, Retained: retained})
			for _, m := range a.plan(time.Now().Add(time.Hour)) {
				if m.QoS != 1 || !m.Retained || strings.ContainsAny(m.Topic, "+#") {
					t.Errorf("would publish %+v", m)
				}
			}
		}
	})
}
