package broker

import (
	"testing"

	"github.com/mochi-mqtt/server/v2/packets"

	"camqtt/internal/access"
	"camqtt/internal/mqtt"
	"camqtt/internal/wire"
)

// Whatever comes, nothing panics; what is accepted matches as the standard says, live and retained.
func FuzzTopics(f *testing.F) {
	for _, s := range [][2]string{{"cam/+/frame", "cam/front/frame"}, {"a/#", "a"}, {"#", "$SYS/x"}, {"$share/g/+/b", "a/b"}, {"/", "//"}, {"\xff", "\x00"}} {
		f.Add(s[0], s[1])
	}
	l, err := Limits{}.withDefaults()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, filter, topic string) {
		access.Space{}.Allowed(access.Principal{Role: access.Viewer, All: true}, access.Subscribe, filter)
		id, k := picture("cam", topic)
		if k != ordinary && (!wire.IsID(id) || checkTopic(topic, &l) != nil) {
			t.Errorf("%q is a picture's topic but no topic", topic)
		}
		if _, _, shared := mqtt.SplitShared(filter); shared || checkFilter(filter, &l) != nil || checkTopic(topic, &l) != nil {
			return
		}
		subs := newSubscriptions()
		subs.add("c", packets.Subscription{Filter: filter})
		each, _ := subs.matching(topic)
		if want := mqtt.Matches(filter, topic); len(each) == 1 != want {
			t.Errorf("%q receives %q: %v, wanted %v", filter, topic, !want, want)
		}
		if subs.removeAll("c"); subs.size() != 0 || len(subs.tree.Subscribers(topic).Subscriptions) != 0 {
			t.Errorf("a subscription of %q is left", filter)
		}
	})
}
