package homeassistant

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"camqtt/internal/wire"
)

// store is what a broker retains.
type store map[string]string

func (s store) publish(msgs []wire.Message) {
	for _, m := range msgs {
		switch {
		case !m.Retained:
		case len(m.Payload) == 0:
			delete(s, m.Topic)
		default:
			s[m.Topic] = string(m.Payload)
		}
	}
}

func topicsOf(msgs []wire.Message) []string {
	var t []string
	for _, m := range msgs {
		t = append(t, m.Topic)
	}
	slices.Sort(t)
	return t
}

func TestClearLeavesNothing(t *testing.T) {
	for _, from := range []Mode{"", Device, Component, Off} {
		for _, now := range []Mode{"", Device, Component, Off} {
			s := store{"homeassistant/device/camqtt_frontier/config": "another camera"}
			s.publish(mustMessages(t, Options{Mode: from}, fullInfo()))
			s.publish(Options{Mode: now}.Clear(CameraObject("front")))
			if len(s) != 1 {
				t.Errorf("described as %q, cleared as %q: left %v", from, now, slices.Collect(maps.Keys(s)))
			}
		}
	}
}

func TestSwitchingModesLeavesOnlyTheNew(t *testing.T) {
	modes := []Mode{Device, Component, Off}
	for _, from := range modes {
		for _, to := range modes {
			s, want := store{}, store{}
			s.publish(mustMessages(t, Options{Mode: from}, fullInfo()))
			o := Options{Mode: to}
			s.publish(o.Stale(CameraObject("front")))
			s.publish(mustMessages(t, o, bareFront()))
			want.publish(mustMessages(t, o, bareFront()))
			if !maps.Equal(s, want) {
				t.Errorf("from %s to %s: retained %v, want %v", from, to, slices.Collect(maps.Keys(s)), slices.Collect(maps.Keys(want)))
			}
			s.publish(o.Clear(CameraObject("front")))
			if len(s) != 0 {
				t.Errorf("from %s to %s, cleared: left %v", from, to, slices.Collect(maps.Keys(s)))
			}
		}
	}
}

// bareFront is the camera front after it has lost all it could do.
func bareFront() wire.Info {
	i := bareInfo()
	i.ID = "front"
	return i
}

func TestStaleAndMessagesAreDisjointAndAll(t *testing.T) {
	for _, m := range []Mode{Device, Component, Off} {
		o := Options{Mode: m}
		stale, now := topicsOf(o.Stale(CameraObject("front"))), topicsOf(mustMessages(t, o, fullInfo()))
		for _, topic := range stale {
			if slices.Contains(now, topic) {
				t.Errorf("%s: %s is stale and described", m, topic)
			}
		}
		both := append(stale, now...)
		slices.Sort(both)
		if all := topicsOf(o.Clear(CameraObject("front"))); !slices.Equal(both, all) {
			t.Errorf("%s: stale and described %v, cleared %v", m, both, all)
		}
	}
}

func TestClearIsEmptyRetainedAndOnce(t *testing.T) {
	msgs := Options{}.Clear(CameraObject("front"))
	seen := map[string]bool{}
	for _, m := range msgs {
		if len(m.Payload) != 0 || !m.Retained || m.QoS != 1 || seen[m.Topic] {
			t.Errorf("cleared with %+v, seen %v", m, seen[m.Topic])
		}
		seen[m.Topic] = true
	}
	if want := len(places()) + 1; len(msgs) != want {
		t.Errorf("%d messages, want %d", len(msgs), want)
	}
}

func TestClearBridge(t *testing.T) {
	for _, m := range []Mode{Device, Component} {
		s := store{}
		s.publish(mustBridge(t, fullOptions(m)))
		if len(s) != 1 {
			t.Fatalf("%s: bridge retains %d messages, want 1", m, len(s))
		}
		s.publish(fullOptions(Off).Clear(BridgeObject("cellar")))
		if len(s) != 0 {
			t.Errorf("%s: left %v", m, slices.Collect(maps.Keys(s)))
		}
	}
	if msgs := (Options{}).Clear(BridgeObject("Not an id")); len(msgs) != 0 {
		t.Errorf("Clear without an id = %v, want none", msgs)
	}
}

// testdata/places.txt is the memory of every place that has ever been described.
// A line is never taken out: what an old program has left on a broker could not
// be removed any more.
func TestEveryPlaceEverIsCleared(t *testing.T) {
	b, err := os.ReadFile("testdata/places.txt")
	if err != nil {
		t.Fatal(err)
	}
	listed := strings.Fields(string(b))
	var known []string
	for _, p := range places() {
		known = append(known, p.platform+"/"+p.key)
	}
	for _, p := range listed {
		if !slices.Contains(known, p) {
			t.Errorf("%s has been described once and is not in places(): list it there", p)
		}
	}
	for _, p := range known {
		if !slices.Contains(listed, p) {
			t.Errorf("%s is new: add it to testdata/places.txt", p)
		}
	}
}

func TestKeysArePermanentNames(t *testing.T) {
	keys := map[string]bool{}
	for _, p := range places() {
		if keys[p.key] {
			t.Errorf("key %s is there twice: a new entity needs a new key", p.key)
		}
		keys[p.key] = true
	}
}

// Everything that is published is recognised as ours and falls under the
// filters; what others publish there is not ours.
func TestOursAndFilters(t *testing.T) {
	covers := func(filters []string, topic string) bool {
		for _, f := range filters {
			fl, tl := strings.Split(f, "/"), strings.Split(topic, "/")
			same := len(fl) == len(tl)
			for i := 0; same && i < len(fl); i++ {
				same = fl[i] == "+" || fl[i] == tl[i]
			}
			if same {
				return true
			}
		}
		return false
	}
	o := Options{Prefix: "ha/disco"}
	for _, topic := range topicsOf(o.Clear(CameraObject("front"))) {
		x, ok := o.Ours(topic)
		if !ok || x != CameraObject("front") || !covers(o.Filters(x), topic) || !covers(o.EveryFilter(), topic) {
			t.Errorf("%s: %q, %v", topic, x, ok)
		}
		if covers(o.Filters(CameraObject("fronte")), topic) {
			t.Errorf("%s is under the filters of another camera", topic)
		}
	}
	for _, want := range []Object{BridgeObject("cellar"), HubObject} {
		for _, topic := range topicsOf(o.Clear(want)) {
			if x, ok := o.Ours(topic); !ok || x != want || !covers(o.Filters(want), topic) || !covers(o.EveryFilter(), topic) {
				t.Errorf("%s: %q, %v, want %q", topic, x, ok, want)
			}
		}
	}
	for _, topic := range []string{
		"homeassistant/device/camqtt_front/config", "ha/disco/device/zigbee_front/config", "ha/disco/device/camqtt_front", "ha/disco/status",
		"ha/disco/device/camqtt_/config", "ha/disco/device/camqtt__Hub/config", "ha/disco/device/camqtt__hub/x/config",
		"ha/disco/switch/camqtt_front/config", "ha/disco/device/camqtt_front/live/config", "ha/disco/switch/camqtt_Front/live/config", "",
	} {
		if x, ok := o.Ours(topic); ok {
			t.Errorf("%q is taken for ours: %q", topic, x)
		}
	}
}
