package broker

import (
	"fmt"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"camqtt/internal/access"
	"camqtt/internal/testkit"
	"camqtt/internal/wire"
)

// One account cannot take the connections of the others; the log says when it is near its
// limit, and coming again under the same identifier is no further connection.
func TestConnectionsOfOneAccount(t *testing.T) {
	log := &testkit.Output{}
	o := Options{Log: slog.New(slog.NewTextHandler(log, nil)), Limits: Limits{PerAccount: 10}}
	bridge := access.Account{Name: "bridge", Role: access.Bridge, Cameras: []wire.ID{"a", "b"}}
	g := startOptions(t, o, access.AnonymousLoopback, viewerOf("ann"), viewerOf("bob"), bridge, access.Account{Name: "root", Role: access.Admin, All: true})
	for name, most := range map[string]int{"ann": 10, "bridge": 2 + bridgeSpare} {
		var first *client
		for i := range most {
			if i == 8 && name == "ann" {
				testkit.Until(t, "a warning", func() bool { return log.HasLine("nearly all", "user=ann", "open=8", "most=10") })
			}
			if c := join(t, g.addr, fmt.Sprint(name, i), 4, g.asUser(name)); i == 0 {
				first = c
			}
		}
		for v, code := range map[byte]byte{4: 3, 5: packets.ErrQuotaExceeded.Code} {
			if ack, err := dial(t, g.addr).try(name+"-more", v, g.asUser(name)); err != nil || ack.ReasonCode != code {
				t.Errorf("connection %d of %s, version %d: code %#x, %v; want %#x", most+1, name, v, ack.ReasonCode, err, code)
			}
		}
		join(t, g.addr, name+"0", 4, g.asUser(name)) // takes over
		first.closedBy(t)
		again := join(t, g.addr, name+"1", 4, g.asUser(name))
		_ = again.c.Close()
		testkit.Until(t, "room for another one", func() bool {
			ack, err := dial(t, g.addr).try(name+"-other", 4, g.asUser(name))
			return err == nil && ack.ReasonCode == 0
		})
	}
	join(t, g.addr, "bob", 4, g.asUser("bob"))
	for i := range 12 { // neither admins nor this machine without an account are bounded
		join(t, g.addr, fmt.Sprint("root", i), 4, g.asUser("root"))
		join(t, g.addr, fmt.Sprint("near", i), 4)
	}
}

// When clients of other kinds have taken what they can, cameras still come in.
func TestConnectionsReservedForCameras(t *testing.T) {
	g := startLimited(t, Limits{Connections: 20}, access.AnonymousLoopback, cameraOf("front"))
	for i := range 18 {
		join(t, g.addr, fmt.Sprint("near", i), 4)
	}
	if ack, err := dial(t, g.addr).try("one-more", 5); err != nil || ack.ReasonCode != packets.ErrServerBusy.Code {
		t.Errorf("the 19th client: code %#x, %v; want %#x", ack.ReasonCode, err, packets.ErrServerBusy.Code)
	}
	join(t, g.addr, "front", 4, g.asUser("front"))
	join(t, g.addr, "side", 4, withWill("cam/side/status", "offline", true)) // a camera without an account
}

// Connections on which nothing is said keep no camera out, and parts of this program
// always find room.
func TestSilentConnectionsMakeRoom(t *testing.T) {
	g := startLimited(t, Limits{Connections: 20}, access.AnonymousNever, cameraOf("front"))
	var silent []*client
	for range 40 {
		silent = append(silent, dial(t, g.addr))
	}
	testkit.Until(t, "all are taken", func() bool { return g.Stats().Accepted >= 20 })
	for i := range 15 {
		join(t, g.addr, fmt.Sprint("front", i), 4, g.asUser("front"))
	}
	silent[0].closedBy(t)
	g.hub(t, "announcer")
}

// No client can take the identifier of a part of this program.
func TestIdentifiersOfThisProgram(t *testing.T) {
	g := startGuarded(t, access.AnonymousLoopback, access.Account{Name: "root", Role: access.Admin, All: true})
	thief := join(t, g.addr, "camqtt-announcer", 4, g.asUser("root"))
	hub := g.hub(t, "camqtt-announcer")
	hub.sync(t)
	thief.sync(t)
	if ack, err := dial(t, g.addr).try("$hub/camqtt-announcer", 4, g.asUser("root")); err != nil || ack.ReasonCode != 2 {
		t.Errorf("an identifier of this program: code %d, %v; want 2", ack.ReasonCode, err)
	}
	hub.sync(t)
}

// Anonymous clients of one address count as one account.
func TestConnectionsOfOneAddress(t *testing.T) {
	b := start(t, Options{Limits: Limits{PerAccount: 3}}, local)
	attach := func(ip byte, id string) byte {
		t.Helper()
		near, far := net.Pipe()
		var serving sync.WaitGroup
		serving.Go(func() { _ = b.Attach(t.Context(), &elsewhere{far, ip}) }) // ends with either side
		t.Cleanup(func() { _ = near.Close(); serving.Wait() })
		ack, err := newClient(near).try(id, 5)
		if err != nil {
			t.Fatal(err)
		}
		_ = near.SetDeadline(time.Time{})
		return ack.ReasonCode
	}
	for i := range 3 {
		if code := attach(1, fmt.Sprint("a", i)); code != 0 {
			t.Fatalf("connection %d: code %#x", i, code)
		}
	}
	if code := attach(1, "a3"); code != packets.ErrQuotaExceeded.Code {
		t.Errorf("the fourth of one address: code %#x", code)
	}
	if code := attach(2, "b"); code != 0 {
		t.Errorf("the first of another address: code %#x", code)
	}
}

// elsewhere is a pipe from another machine.
type elsewhere struct {
	net.Conn
	ip byte
}

func (e *elsewhere) RemoteAddr() net.Addr {
	return &net.TCPAddr{IP: net.IPv4(192, 0, 2, e.ip), Port: 1}
}
