package broker

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"camqtt/internal/access"
	"camqtt/internal/testkit/faketime"
	"camqtt/internal/wire"
)

// hall is a broker on fake time with bridges of 50 cameras.
type hall struct {
	b      *Broker
	t      *testing.T
	tokens map[string]string
	ends   sync.WaitGroup // of connections
	stop   func()
}

func newHall(t *testing.T, l Limits, bridges ...string) *hall {
	var all []access.Account
	for k, name := range bridges {
		a := access.Account{Name: name, Role: access.Bridge}
		for i := range 50 {
			a.Cameras = append(a.Cameras, wire.ID(fmt.Sprintf("c%d-%d", k, i)))
		}
		all = append(all, a)
	}
	return newHallOf(t, l, all...)
}

// newHallOf is newHall with other accounts.
func newHallOf(t *testing.T, l Limits, accounts ...access.Account) *hall {
	h := &hall{t: t, tokens: map[string]string{}}
	file := filepath.Join(t.TempDir(), access.FileName)
	for _, a := range accounts {
		var err error
		a.Token = true
		if h.tokens[a.Name], err = access.Add(file, a, ""); err != nil {
			t.Fatal(err)
		}
	}
	as, err := access.Open(access.Options{File: file, Anonymous: access.AnonymousNever})
	if err != nil {
		t.Fatal(err)
	}
	b, err := New(Options{Log: quiet(), Limits: l, Access: as})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.Serve(ctx) }() // ends with ctx
	h.b = b
	h.stop = func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		h.ends.Wait()
	}
	return h
}

// distant is a pipe that does not look like one.
type distant struct{ net.Conn }

func (*distant) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1} }

// join connects; account is "" for a part of this program, which has none.
func (h *hall) join(id, account string) *client { return h.joinAs(id, account, 4) }

// joinAs is join with a version of MQTT.
func (h *hall) joinAs(id, account string, v byte) *client {
	near, far := net.Pipe()
	h.ends.Go(func() { // ends with the client or the broker
		conn := far
		if account != "" {
			conn = &distant{far}
		}
		_ = h.b.Attach(h.t.Context(), conn) // however it ends
	})
	c := newClient(near)
	if account == "" {
		c.joins(h.t, id, v)
	} else {
		c.joins(h.t, id, v, password(account, h.tokens[account]))
	}
	_ = near.SetDeadline(time.Time{})
	return c
}

// pings sends so many PINGREQ at once and reads their answers; it returns how long that
// took.
func (c *client) pings(n int) time.Duration {
	began := time.Now()
	var sending sync.WaitGroup
	sending.Go(func() { // ends when all is sent or the connection closed
		_, _ = c.c.Write(bytes.Repeat([]byte{packets.Pingreq << 4, 0}, n)) // its end tells
	})
	if _, err := io.CopyN(io.Discard, c.r, int64(2*n)); err != nil {
		_ = c.c.Close()
		sending.Wait()
		return -1
	}
	sending.Wait()
	return time.Since(began)
}

// A client that sends small packets without a pause is read at the rate it may have, and
// stays connected; nobody else waits.
func TestFloodIsHeldBack(t *testing.T) {
	faketime.Run(t, func(t *testing.T) {
		h := newHall(t, Limits{PacketRate: 100})
		defer h.stop()
		cam, viewer := h.join("cam", ""), h.join("viewer", "")
		viewer.subscribe(t, 0, "cam/front/frame")
		flooder := h.join("flooder", "")
		took := make(chan time.Duration, 1)
		go func() { took <- flooder.pings(1000) }() // ends with the answers
		for range 50 {
			began := time.Now()
			cam.publish(t, "cam/front/frame", make([]byte, 5000), 0, false)
			viewer.message(t)
			if age := time.Since(began); age != 0 {
				t.Fatalf("a picture of another camera took %v", age)
			}
			time.Sleep(100 * time.Millisecond)
		}
		// One second's at once, and the last batch is not waited for.
		if d := <-took; d < 8*time.Second || d > 10*time.Second {
			t.Errorf("1000 packets at 100 a second took %v", d)
		}
		time.Sleep(time.Minute)
		if d := flooder.pings(30); d != 0 {
			t.Errorf("30 packets after a quiet minute took %v", d)
		}
		if h.b.Stats().Clients != 3 {
			t.Errorf("%d clients are connected, want all 3", h.b.Stats().Clients)
		}
	})
}

// An account does not get more by coming with many connections; another one has its own.
func TestFloodOfOneAccount(t *testing.T) {
	faketime.Run(t, func(t *testing.T) {
		h := newHall(t, Limits{PacketRate: 100}, "mob", "other")
		defer h.stop()
		var all sync.WaitGroup
		began := time.Now()
		for i := range 20 {
			c := h.join(fmt.Sprint("mob-", i), "mob")
			all.Go(func() { c.pings(400) }) // ends with the answers
		}
		other := h.join("other-1", "other")
		if d := other.pings(400); d > 3*time.Second {
			t.Errorf("400 packets of another account took %v, want its own rate", d)
		}
		all.Wait()
		// 8000 packets, of which each connection may have a batch that is not waited for.
		if d := time.Since(began); d < 15*time.Second || d > 20*time.Second {
			t.Errorf("8000 packets of one account at 400 a second took %v", d)
		}
	})
}

// A packet with very many filters counts for what it costs, and who is held back can
// still be sent away at once.
func TestFloodOfFilters(t *testing.T) {
	faketime.Run(t, func(t *testing.T) {
		h := newHall(t, Limits{PacketRate: 100})
		defer h.stop()
		c := h.join("greedy", "")
		var filters []string
		for i := range 1000 {
			filters = append(filters, fmt.Sprintf("cam/c%012d/info", i))
		}
		began := time.Now()
		for range 5 {
			c.subscribe(t, 0, filters...)
		}
		if d := time.Since(began); d < 3*time.Second {
			t.Errorf("5 subscriptions of 1000 filters took %v", d)
		}
		again := h.join("greedy", "") // takes its place
		began = time.Now()
		again.sync(t)
		if d := time.Since(began); d > time.Second {
			t.Errorf("it took %v until the next connection was served", d)
		}
	})
}

// What a bridge sends of 50 cameras at 30 pictures a second passes without a wait, on a
// connection for each and on one for all.
func TestBridgeIsNotHeldBack(t *testing.T) {
	for name, each := range map[string]bool{"one connection": false, "50 connections": true} {
		t.Run(name, func(t *testing.T) {
			faketime.Run(t, func(t *testing.T) {
				h := newHall(t, Limits{}, "bridge")
				defer h.stop()
				viewer := h.join("viewer", "")
				viewer.subscribe(t, 0, "cam/+/frame")
				var cams []*client
				for i := range 50 {
					if i == 0 || each {
						cams = append(cams, h.join(fmt.Sprint("bridge-", i), "bridge"))
					} else {
						cams = append(cams, cams[0])
					}
				}
				picture := make([]byte, 2000)
				for range 10 * 30 {
					for i, c := range cams {
						began := time.Now()
						c.publish(t, fmt.Sprintf("cam/c0-%d/frame", i), picture, 0, false)
						viewer.message(t)
						if age := time.Since(began); age != 0 {
							t.Fatalf("a picture took %v", age)
						}
					}
					time.Sleep(time.Second / 30)
				}
			})
		})
	}
}

// Counting costs the way of pictures next to nothing, and no allocation.
func TestThrottleAllocatesNothing(t *testing.T) {
	b, err := New(Options{Log: quiet(), Limits: Limits{PacketRate: 1 << 30}})
	if err != nil {
		t.Fatal(err)
	}
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	c := newConn(b, far)
	c.quota = &accountQuota{rate: newRate(1 << 30)}
	for range throttleEvery {
		c.throttle.pay(c, 1)
	}
	if n := testing.AllocsPerRun(100, func() {
		for range throttleEvery {
			c.throttle.pay(c, 1)
		}
	}); n != 0 {
		t.Errorf("%v allocations for %d packets", n, throttleEvery)
	}
}
