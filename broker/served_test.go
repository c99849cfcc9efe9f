package broker

import (
	"slices"
	"strings"
	"testing"

	"camqtt/internal/access"
	"camqtt/internal/testkit"
	"camqtt/internal/wire"
)

// An account of a camera says nothing in the name of a camera that this process serves
// itself, not by its will either; under its other ids it does.
func TestServedCameraHasOneVoice(t *testing.T) {
	g := startOptions(t, Options{Served: []wire.ID{"front"}}, access.AnonymousNever,
		access.Account{Name: "bridge", Role: access.Bridge, Cameras: []wire.ID{"front", "shed"}},
		access.Account{Name: "boss", Role: access.Admin})
	boss := join(t, g.addr, "boss", 4, password("boss", g.tokens["boss"]))
	boss.subscribe(t, 1, "cam/#")
	boss.sync(t) // what is retained was sent
	c := join(t, g.addr, "bridge", 4, password("bridge", g.tokens["bridge"]), withWill("cam/shed/status", "offline", true))
	for _, id := range []string{"front", "shed"} {
		for _, kind := range []string{"status", "frame", "snapshot", "state", "event"} {
			c.publish(t, "cam/"+id+"/"+kind, []byte("x"), 0, kind != "frame" && kind != "event")
		}
	}
	c.publish(t, "cam/shed/status", []byte("online"), 1, true)
	c.sync(t)
	usurper := dial(t, g.addr)
	if answer, err := usurper.try("usurper", 4, password("bridge", g.tokens["bridge"]), withWill("cam/front/status", "offline", true)); err != nil || answer.ReasonCode == 0 {
		t.Errorf("a will of the front: %v, %v", answer.ReasonCode, err)
	}
	if got := g.Online(); !slices.Equal(got, []wire.ID{"shed"}) {
		t.Errorf("online %q, wanted the shed", got)
	}
	_ = c.c.Close()
	testkit.Until(t, "the bridge has gone", func() bool { return g.Stats().Clients == 1 })
	if got := boss.drained(t); len(got) != 7 || strings.Contains(strings.Join(got, " "), "front") {
		t.Errorf("heard %q, wanted the seven of the shed", got)
	}
	if got := g.Online(); len(got) != 0 {
		t.Errorf("online %q, wanted none", got)
	}
}
