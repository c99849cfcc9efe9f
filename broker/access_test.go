package broker

import (
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/mochi-mqtt/server/v2/packets"

	"camqtt/internal/access"
	"camqtt/internal/mqtt"
	"camqtt/internal/testkit"
)

// The policies as clients meet them. Strangers are played: tests use loopback only.
func TestPolicies(t *testing.T) {
	log := &testkit.Output{}
	never, err := access.Open(access.Options{Anonymous: access.AnonymousNever})
	if err != nil {
		t.Fatal(err)
	}
	b := start(t, Options{Access: never, Log: slog.New(slog.NewTextHandler(log, nil))})
	for v, want := range map[byte]byte{4: 5, 5: packets.ErrNotAuthorized.Code} {
		if ack, err := dial(t, b.addr).try("c", v); err != nil || ack.ReasonCode != want {
			t.Errorf("v%d: CONNACK %#x, %v, wanted %#x", v, ack.ReasonCode, err, want)
		}
	}
	if n := strings.Count(log.String(), "level=WARN"); n != 1 || !strings.Contains(log.String(), "an account is needed") {
		t.Errorf("%d lines about two refusals of one kind, wanted 1 that says why:\n%s", n, log.String())
	}
	p := pipe(t, b.Broker)
	p.joins(t, "inside", 4)
	p.sync(t)

	var strangers atomic.Bool
	b = start(t, Options{}, func(c *conn) access.Principal {
		if strangers.Load() {
			return access.Principal{Role: access.Reader}
		}
		return local(c)
	})
	owner := join(t, b.addr, "front", 4)
	owner.subscribe(t, 1, "#")
	strangers.Store(true)
	r := join(t, b.addr, "r", 5)
	if got := r.subscribe(t, 1, "cam/#", "$SYS/#", "$x/#"); got[0] != 1 || got[1] != 1 || got[2] != packets.ErrNotAuthorized.Code {
		t.Errorf("a reader's subscriptions: %#x", got)
	}
	r.publish(t, "cam/front/cmd", []byte("snap"), 0, false)
	r.publish(t, "cam/front/frame", make([]byte, 2000), 0, true)
	r.publish(t, "cam/front/cmd", []byte("snap"), 1, false)
	if pk := r.want(t, packets.Puback); pk.ReasonCode != packets.ErrNotAuthorized.Code {
		t.Errorf("a reader's publish: PUBACK %#x, wanted 0x87", pk.ReasonCode)
	}
	r3 := join(t, b.addr, "r3", 4)
	r3.publish(t, "cam/front/frame", make([]byte, 2000), 0, true)
	r3.sync(t)
	r3.publish(t, "cam/front/cmd", []byte("snap"), 1, false)
	r3.want(t, packets.Puback) // there is no other answer after which it would not come again
	r3.publish(t, "cam/front/cmd", []byte("snap"), 2, false)
	r3.want(t, packets.Pubrec)
	r3.sync(t)
	if got := owner.drained(t); len(got) != 0 {
		t.Errorf("a reader published %.50q", got)
	}
	if ack, err := dial(t, b.addr).try("front", 5); err != nil || ack.ReasonCode != packets.ErrClientIdentifierNotValid.Code {
		t.Errorf("a reader took the id of another: %#x, %v", ack.ReasonCode, err)
	}
	owner.sync(t)
}

// Rights are looked up for each receiver, live and retained.
func TestRightsPerReceiver(t *testing.T) {
	b := start(t, Options{})
	blind, sees := join(t, b.addr, "blind", 4), join(t, b.addr, "sees", 4)
	for _, c := range []*client{blind, sees} {
		c.subscribe(t, 1, "cam/#")
	}
	// What happens to a session whose rights shrink while it is connected.
	s := b.sessions.get("blind")
	s.mu.Lock()
	s.terms.who = access.Principal{}
	s.mu.Unlock()
	b.router.fanouts.forgetAll()
	pub := join(t, b.addr, "pub", 4)
	pub.publish(t, "cam/front/frame", make([]byte, 2000), 0, false)
	pub.publish(t, "cam/front/result", []byte("x"), 1, false)
	pub.sync(t)
	if got := blind.drained(t); len(got) != 0 {
		t.Errorf("without the right to: %d messages", len(got))
	}
	if got := sees.drained(t); len(got) != 2 {
		t.Errorf("with it: %d messages, wanted 2", len(got))
	}
}

func TestTopics(t *testing.T) {
	l, err := Limits{TopicBytes: 40, TopicLevels: 4}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	for topic, ok := range map[string]bool{
		"a": true, "a/b/c/d": true, "/": true, "a//b": true, "ä/ö": true,
		"": false, "a/b/c/d/e": false, "a/+": false, "#": false, "$SYS/a": false, "$": false,
		"a\x00": false, "a\nb": false, "a\u0085": false, "\xff": false, "\ufffe": false, strings.Repeat("x", 41): false,
	} {
		if err := checkTopic(topic, &l); (err == nil) != ok {
			t.Errorf("topic %q: %v", topic, err)
		}
	}
	for filter, ok := range map[string]bool{
		"a": true, "#": true, "+": true, "+/#": true, "a/+/b": true, "/#": true, "$SYS/#": true, "$share/g/a": true, "$share/g/#": true, "$SHARE/g/+": true,
		"": false, "a#": false, "#/a": false, "a/#/b": false, "+a": false, "a/b+": false, "++": false, "a/b/c/d/e": false,
		"$share": false, "$share/": false, "$share/g": false, "$share/g/": false, "$share//a": false, "$share/+/a": false, "$share/+/#": false, "$share/#/a": false,
	} {
		if err := checkFilter(filter, &l); (err == nil) != ok {
			t.Errorf("filter %q: %v", filter, err)
		}
	}
	for _, tc := range []struct {
		filter, topic string
		want          bool
	}{
		{"a", "a", true},
		{"a", "b", false},
		{"a/#", "a", true},
		{"a/#", "a/b/c", true},
		{"a/#", "ab", false},
		{"+/#", "a", true},
		{"#", "a/b", true},
		{"#", "$SYS/a", false},
		{"+/a", "$x/a", false},
		{"$SYS/#", "$SYS/a", true},
		{"a/+", "a", false},
		{"a/+", "a/b", true},
		{"a/+", "a/", true},
		{"a/+", "a/b/c", false},
		{"a/b", "a", false},
		{"/+", "/x", true},
		{"+", "/x", false},
		{"a/+/c", "a/b/c", true},
		{"a/+/c", "a/b/d", false},
		{"", "a", false},
		{"a", "", false},
	} {
		if got := mqtt.Matches(tc.filter, tc.topic); got != tc.want {
			t.Errorf("mqtt.Matches(%q, %q) = %v", tc.filter, tc.topic, got)
		}
	}
	for topic, want := range map[string]string{
		"cam/front/frame": "front 1", "cam/a-b_9/preview": "a-b_9 2", "cam/x/snapshot": "x 3",
		"cam/front/snapshot/meta": " 0", "cam/front/state": " 0", "cam//frame": " 0", "cam/-a/frame": " 0", "cam/A/frame": " 0",
		"cam/frame": " 0", "camx/a/frame": " 0", "cam": " 0", "x/cam/a/frame": " 0", "cam/" + strings.Repeat("a", 33) + "/frame": " 0",
	} {
		if id, k := picture("cam", topic); fmt.Sprint(id, " ", k) != want {
			t.Errorf("picture(%q) = %q %d, wanted %s", topic, id, k, want)
		}
	}
	if id, k := picture("site/a/cam", "site/a/cam/x/frame"); id != "x" || k != frame {
		t.Errorf("a base of several levels: %q %d", id, k)
	}
}

func TestNewChecks(t *testing.T) {
	for name, o := range map[string]Options{
		"no log":      {},
		"base":        {Log: quiet(), Base: "cam/+"},
		"base end":    {Log: quiet(), Base: "cam/"},
		"base system": {Log: quiet(), Base: "$SYS"},
		"limit":       {Log: quiet(), Limits: Limits{Window: -1}},
		"time":        {Log: quiet(), Limits: Limits{ConnectTime: -1}},
		"window":      {Log: quiet(), Limits: Limits{Window: 40000}},
		"packet":      {Log: quiet(), Limits: Limits{Packet: 1 << 28}},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
