package homeassistant

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"camqtt/internal/testkit"
	"camqtt/internal/wire"
)

// Options says where Home Assistant connects and how.
type Options struct {
	Addr           string // of the broker, host:port
	User, Password string
	V5             bool   // MQTT 5, as since 2026.6; else 3.1.1
	Prefix         string // "" is homeassistant
	Base           wire.Base
}

// Device is what Home Assistant shows as one.
type Device struct {
	Name, Via, URL                      string // Via is an identifier; URL opens it elsewhere
	Make, Model, Serial, Hardware, Area string
}

// Home is a running stand-in.
type Home struct {
	controls

	t    testing.TB
	opts Options
	conn *testkit.MQTT
	todo chan wire.Message
	done chan struct{}

	stopping atomic.Bool // what fails now was to be expected

	mu       sync.Mutex
	entities map[string]*entity // by discovery key: platform, object, component
	sources  map[string]string  // of what is loaded: its discovery topic, by discovery key
	triggers map[string]*Trigger
	devices  map[string]Device // by identifier
	registry map[string]string // entity ids by platform and unique id; outlives a restart
	problems []error
	heard    map[string]int // discovery messages by topic, without those that were kept
}

// platforms are those whose discovery it reads, as far as cameras have them.
func platforms() []string { return slices.Sorted(maps.Keys(rules())) }

// Start connects, subscribes and says that it is there, as Home Assistant does.
// What it would log is an error of the test, at its end at the latest.
func Start(t testing.TB, o Options) *Home {
	t.Helper()
	if o.Prefix == "" {
		o.Prefix = "homeassistant"
	}
	h := &Home{t: t, opts: o, registry: map[string]string{}}
	h.controls = controls{h}
	h.start()
	t.Cleanup(func() {
		h.Stop()
		for _, err := range h.Problems() {
			t.Errorf("home assistant: %v", err)
		}
	})
	return h
}

func (h *Home) start() {
	h.t.Helper()
	h.stopping.Store(false)
	h.mu.Lock()
	h.entities, h.sources, h.devices = map[string]*entity{}, map[string]string{}, map[string]Device{}
	h.triggers = map[string]*Trigger{}
	h.heard = map[string]int{}
	h.mu.Unlock()
	h.todo, h.done = make(chan wire.Message, 4096), make(chan struct{})
	todo, done := h.todo, h.done
	// Its end is Stop's alone: one that the test's end closes first would be complained of.
	conn, err := testkit.NewMQTT(testkit.MQTTOptions{
		Addr: h.opts.Addr, V5: h.opts.V5, ID: "ha" + fmt.Sprint(time.Now().UnixNano()), User: h.opts.User, Password: h.opts.Password,
		Receive: func(m wire.Message) { todo <- m },
	})
	if err != nil {
		h.t.Fatalf("connect home assistant to %s: %v", h.opts.Addr, err)
	}
	h.conn = conn
	go func() { // ends when Stop closes todo, and waits
		defer close(done)
		for m := range todo {
			h.take(m)
		}
	}()
	var filters []string
	for _, p := range append(platforms(), "device") {
		filters = append(filters, h.opts.Prefix+"/"+p+"/+/config", h.opts.Prefix+"/"+p+"/+/+/config")
	}
	h.subscribe(0, filters...)
	// It looks for other makers' devices, whatever is connected, and takes no notice
	// of a refusal: an account for cameras has no right there.
	if _, err := h.conn.Subscribe(0, "tasmota/discovery/#", "dsmr/#", "fully/deviceInfo/+", "drop_connect/discovery/#"); err != nil {
		h.problem(err)
	}
	h.say(wire.Message{Topic: h.opts.Prefix + "/status", Payload: []byte("online")})
}

func (h *Home) subscribe(qos byte, filters ...string) {
	codes, err := h.conn.Subscribe(qos, filters...)
	for i, c := range codes {
		if c > 2 {
			err = errors.Join(err, fmt.Errorf("subscribe to %s: refused", filters[i]))
		}
	}
	if err != nil && !h.stopping.Load() {
		h.problem(err)
	}
}

func (h *Home) say(m wire.Message) {
	if err := h.conn.Publish(m); err != nil {
		h.problem(fmt.Errorf("publish %s: %w", m.Topic, err))
	}
}

func (h *Home) problem(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.problems = append(h.problems, err)
}

// Problems returns what it would have logged so far, and forgets it.
func (h *Home) Problems() []error {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.problems
	h.problems = nil
	return p
}

// Stop ends it as a clean stop does. It can be called twice.
func (h *Home) Stop() {
	if h.conn == nil {
		return
	}
	h.stopping.Store(true)
	_ = h.conn.Publish(wire.Message{Topic: h.opts.Prefix + "/status", Payload: []byte("offline")})
	h.conn.Close()
	close(h.todo)
	<-h.done
	h.conn = nil
}

// Restart stops it and starts it again; it has forgotten every state.
func (h *Home) Restart() {
	h.t.Helper()
	h.Stop()
	h.start()
}

// take handles one message, after all that came before.
func (h *Home) take(m wire.Message) {
	if strings.HasPrefix(m.Topic, h.opts.Prefix+"/") && strings.HasSuffix(m.Topic, "/config") {
		for topic, qos := range h.discover(m) {
			h.subscribe(qos, topic)
		}
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.entities {
		if slices.Contains(e.topics(), m.Topic) {
			if err := e.hear(m); err != nil {
				h.problems = append(h.problems, err)
			}
		}
	}
	for _, x := range h.triggers {
		if err := x.hear(m); err != nil {
			h.problems = append(h.problems, err)
		}
	}
}

// discover takes a discovery message, and returns what to subscribe to for it.
func (h *Home) discover(m wire.Message) map[string]byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !m.Retained { // what is kept may come again while it is published
		h.heard[m.Topic]++
	}
	c := &checker{prefix: h.opts.Prefix, base: h.opts.Base, seen: map[string]string{}}
	c.message(m)
	if len(c.errs) > 0 {
		h.problems = append(h.problems, c.errs...)
		return nil
	}
	parts := topicForm.FindStringSubmatch(strings.TrimPrefix(m.Topic, h.opts.Prefix+"/"))
	var v map[string]any
	if len(m.Payload) > 0 {
		_ = json.Unmarshal(m.Payload, &v) // checked above
	}
	want := map[string]byte{}
	if parts[1] != "device" {
		h.place(m.Topic, parts[1]+" "+parts[2]+" "+parts[3], v, v, want)
		return want
	}
	if v == nil || v["migrate_discovery"] == true {
		for _, key := range slices.Sorted(maps.Keys(h.sources)) {
			if h.sources[key] == m.Topic {
				h.place(m.Topic, key, v, v, want)
			}
		}
		return want
	}
	components, _ := v["components"].(map[string]any)
	for _, key := range slices.Sorted(maps.Keys(components)) {
		conf, _ := components[key].(map[string]any)
		platform, _ := conf["platform"].(string)
		delete(conf, "platform")
		for _, shared := range strings.Fields(availabilityKeys + " state_topic command_topic qos encoding") {
			if _, own := conf[shared]; !own && len(conf) > 0 && v[shared] != nil {
				conf[shared] = v[shared]
			}
		}
		h.place(m.Topic, platform+" "+parts[3]+" "+key, conf, v, want)
	}
	return want
}

// place makes, changes or, without a configuration, removes one entity or trigger.
// What is loaded from one topic takes nothing from another.
func (h *Home) place(topic, key string, conf, around map[string]any, want map[string]byte) {
	source, loaded := h.sources[key]
	platform, _, _ := strings.Cut(key, " ")
	switch {
	case loaded && source != topic:
		h.problems = append(h.problems, fmt.Errorf("received a conflicting MQTT discovery message for %s from %s on %s", key, source, topic))
		return
	case conf["migrate_discovery"] == true:
		h.unload(key)
		return
	case len(conf) == 0:
		h.remove(key)
		return
	case platform == "device_automation":
		x := newTrigger(h.device(around), conf)
		if old := h.triggers[key]; old != nil {
			x.Fired = old.Fired
		}
		h.triggers[key], h.sources[key] = x, topic
		want[x.topic] = max(want[x.topic], x.qos)
		return
	}
	id, _ := conf["default_entity_id"].(string)
	unique, _ := conf["unique_id"].(string)
	if known := h.registry[platform+" "+unique]; known != "" {
		id = known
	}
	for other, e := range h.entities {
		if other != key && (e.UniqueID == unique || e.ID == id) {
			h.problems = append(h.problems, fmt.Errorf("%s: %s is %s already", topic, unique, other))
			return
		}
	}
	old := h.entities[key]
	e := newEntity(id, platform, h.device(around), conf)
	if old != nil {
		e.shown, e.Picture, e.Attributes, e.Changes = old.shown, old.Picture, old.Attributes, old.Changes
		for t := range e.available {
			e.available[t] = old.available[t]
		}
		e.State = old.State
		e.settle()
	}
	h.entities[key], h.sources[key], h.registry[platform+" "+unique] = e, topic, id
	for _, t := range e.topics() {
		want[t] = max(want[t], e.qos())
	}
}

// unload takes out what is known of an entity or trigger but its name.
func (h *Home) unload(key string) {
	delete(h.entities, key)
	delete(h.triggers, key)
	delete(h.sources, key)
}

// remove takes an entity or trigger out, and its device when it was the last.
func (h *Home) remove(key string) {
	device := ""
	if e := h.entities[key]; e != nil {
		device = e.Device
		delete(h.registry, e.Platform+" "+e.UniqueID)
	} else if x := h.triggers[key]; x != nil {
		device = x.Device
	} else {
		return
	}
	h.unload(key)
	for _, other := range h.entities {
		if other.Device == device {
			return
		}
	}
	for _, other := range h.triggers {
		if other.Device == device {
			return
		}
	}
	delete(h.devices, device)
}

// device notes the device around an entity.
func (h *Home) device(v map[string]any) string {
	d, _ := v["device"].(map[string]any)
	ids, _ := d["identifiers"].([]any)
	id := fmt.Sprint(ids[0])
	text := func(key string) string { s, _ := d[key].(string); return s }
	h.devices[id] = Device{
		Name: text("name"), Via: text("via_device"), URL: text("configuration_url"), Make: text("manufacturer"), Model: text("model"),
		Serial: text("serial_number"), Hardware: text("hw_version"), Area: text("suggested_area"),
	}
	return id
}
