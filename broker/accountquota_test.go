package broker

import (
	"fmt"
	"strings"
	"testing"

	"github.com/mochi-mqtt/server/v2/packets"

	"camqtt/internal/access"
	"camqtt/internal/testkit"
	"camqtt/internal/wire"
)

// One account that announces much and sends little leaves room for the others' pictures.
func TestInboundIsShared(t *testing.T) {
	g := startLimited(t, Limits{InboundBytes: 4 << 20}, access.AnonymousNever, cameraOf("front"), cameraOf("side"), viewerOf("ann"))
	ann := join(t, g.addr, "ann", 4, g.asUser("ann"))
	ann.subscribe(t, 0, "cam/side/frame")
	side := join(t, g.addr, "side", 4, g.asUser("side"))
	for i := range 8 {
		hoard := join(t, g.addr, fmt.Sprint("hoard", i), 4, g.asUser("front"))
		_, _ = hoard.c.Write([]byte{0x30, 0x80, 0x80, 0x38, 0, 1, 'a'}) // 900 KiB to come
	}
	testkit.Until(t, "announced or refused", func() bool { return g.inbound.Load() > 0 && g.Stats().Clients <= 4 })
	for range 3 {
		side.publish(t, "cam/side/frame", make([]byte, 900_000), 0, false)
		side.sync(t)
		if pk := ann.message(t); len(pk.Payload) != 900_000 {
			t.Fatalf("%d bytes came", len(pk.Payload))
		}
	}
}

// One account's absent sessions cost no more than a few present ones: neither by what
// waits for them nor by their filters.
func TestAbsentSessionsOfOneAccount(t *testing.T) {
	g := startLimited(t, Limits{QueueBytes: 1 << 20, Subscriptions: 100, Sessions: 100}, access.AnonymousNever, cameraOf("front"), viewerOf("ann"))
	front := join(t, g.addr, "front", 4, g.asUser("front"))
	held := func() (bytes, filters int) {
		for _, s := range g.sessions.all() {
			s.mu.Lock()
			bytes += s.waiting.bytes + s.inflightBytes
			s.mu.Unlock()
			g.sessions.sessionMu.Lock()
			filters += g.subs.count(s.id)
			g.sessions.sessionMu.Unlock()
		}
		return bytes, filters
	}
	for i := range 30 {
		c := join(t, g.addr, fmt.Sprint("away", i), 5, g.asUser("ann"), persistent(3600))
		var filters []string
		for k := range 99 {
			filters = append(filters, fmt.Sprintf("$share/%s%d/cam/front/info", strings.Repeat("g", 400), k))
		}
		c.subscribe(t, 1, filters...)
		c.subscribe(t, 1, "cam/front/result")
		_ = c.c.Close()
		testkit.Until(t, "it is away", func() bool { return g.Stats().Clients == 1 })
		for range 10 {
			front.publish(t, "cam/front/result", make([]byte, 100_000), 1, false)
			front.want(t, packets.Puback)
		}
	}
	if n := len(g.sessions.all()); n > 26 {
		t.Errorf("%d sessions are kept", n)
	}
	if bytes, filters := held(); bytes > 8<<20 || filters > 800 {
		t.Errorf("%d bytes wait and %d filters are kept for one account", bytes, filters)
	}
}

// A3, A5. What somebody wanted to be said when he goes is not said once he may not say
// it; a camera's last word, that it is offline, always is.
func TestRevokedWill(t *testing.T) {
	g := startGuarded(t, access.AnonymousNever, cameraOf("front"), access.Account{Name: "op", Role: access.Operator, All: true})
	g.watched(t)
	hub := g.hub(t, "hub")
	hub.subscribe(t, 1, "#")
	join(t, g.addr, "now", 4, g.asUser("op"), withWill("cam/front/set/privacy", "off", false))
	late := join(t, g.addr, "late", 5, g.asUser("op"), persistent(300), withWill("cam/front/cmd", "snap", false),
		func(p *packets.Packet) { p.Connect.WillProperties.WillDelayInterval = 300 })
	_ = late.c.Close()
	testkit.Until(t, "late has gone", func() bool { return g.Stats().Clients == 2 })
	join(t, g.addr, "node", 4, g.asUser("front"), withWill("cam/front/status", "offline", true))
	for _, name := range []string{"op", "front"} {
		if err := access.Remove(g.file, name); err != nil {
			t.Fatal(err)
		}
		testkit.Until(t, name+" has gone", func() bool { return !g.as.Named(name) })
	}
	testkit.Until(t, "all have gone", func() bool { return g.Stats().Clients == 1 })
	if got := strings.Join(hub.drained(t), " "); got != "cam/front/status=offline" {
		t.Errorf("said: %q", got)
	}
}

// A6. Who has used a name as his identifier before it became somebody else's account
// gives it up.
func TestSquatters(t *testing.T) {
	g := startGuarded(t, access.AnonymousLoopback, viewerOf("eve"))
	g.watched(t)
	here := join(t, g.addr, "side", 4, g.asUser("eve"))
	away := join(t, g.addr, "front", 5, persistent(3600))
	_ = away.c.Close()
	testkit.Until(t, "away has gone", func() bool { return g.Stats().Clients == 1 })
	for _, id := range []string{"front", "side"} {
		a := cameraOf(wire.ID(id))
		a.Token = true
		token, err := access.Add(g.file, a, "")
		if err != nil {
			t.Fatal(err)
		}
		g.tokens[id] = token
		testkit.Until(t, "the account is known", func() bool { return g.as.Named(id) })
	}
	here.closedBy(t)
	for _, id := range []string{"front", "side"} {
		testkit.Until(t, id+" gets in", func() bool {
			ack, err := dial(t, g.addr).try(id, 4, g.asUser(id))
			return err == nil && ack.ReasonCode == 0 && !ack.SessionPresent
		})
	}
}
