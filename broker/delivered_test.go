package broker

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mochi-mqtt/server/v2/packets"
	"pgregory.net/rapid"

	"camqtt/internal/access"
	rightstable "camqtt/internal/testkit/rights"
)

// A8 through the broker: whatever is delivered, live, retained or sent again, was
// allowed, whoever subscribed to whatever.
func TestDeliveredWasAllowed(t *testing.T) {
	_, table := rightstable.Table(t)
	g := startGuarded(t, access.AnonymousNever, rightstable.Accounts()...)
	hub := g.hub(t, "hub")
	var topics []string
	for topic := range table {
		topics = append(topics, topic)
	}
	slices.Sort(topics)
	names := []string{}
	for _, a := range rightstable.Accounts() {
		names = append(names, a.Name)
	}
	levels := []string{"cam", "front", "side", "other", "_all", "frame", "cmd", "set", "status", "result", "homeassistant", "+", "+"}
	if err := flag.Set("rapid.checks", "400"); err != nil {
		t.Fatal(err)
	}
	delivered, n := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		name := rapid.SampledFrom(names).Draw(rt, "name")
		c := join(t, g.addr, fmt.Sprint("c", n), byte(rapid.IntRange(4, 5).Draw(rt, "version")), g.asUser(name))
		for range rapid.IntRange(1, 4).Draw(rt, "filters") {
			f := strings.Join(rapid.SliceOfN(rapid.SampledFrom(levels), 1, 4).Draw(rt, "levels"), "/")
			if rapid.Bool().Draw(rt, "open") {
				f += "/#"
			}
			if rapid.IntRange(0, 3).Draw(rt, "shared") == 0 {
				f = "$share/g/" + f
			}
			c.subscribe(t, byte(rapid.IntRange(0, 1).Draw(rt, "qos")), f)
		}
		for _, i := range rapid.SliceOfN(rapid.IntRange(0, len(topics)-1), 1, 30).Draw(rt, "topics") {
			hub.publish(t, topics[i], []byte("x"), 1, rapid.Bool().Draw(rt, "retain"))
			hub.want(t, packets.Puback)
		}
		for _, m := range c.drained(t) {
			delivered++
			topic, _, _ := strings.Cut(m, "=")
			if !strings.Contains(table[topic][name], "s") {
				rt.Fatalf("%s was delivered %s", name, topic)
			}
		}
		_ = c.c.Close()
	})
	if delivered < 200 {
		t.Errorf("only %d messages were delivered: this shows nothing", delivered)
	}
	t.Logf("%d cases, %d messages", n, delivered)
}
