//go:build linux

package broker

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"
)

// memoryOf gives the memory of a process that is in RAM, in bytes.
func memoryOf(b *testing.B, pid int) int {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		b.Fatal(err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(text))[1])
	if err != nil {
		b.Fatal(err)
	}
	return pages * os.Getpagesize()
}

// BenchmarkIdleConnection reports what a connection costs the broker that has subscribed and is
// silent: the growth of its process, by 2,000 of them; and what is left of one that has
// not even sent CONNECT. One operation is 2,000 connections.
func BenchmarkIdleConnection(b *testing.B) {
	const n = 2000
	becomeBroker(b, Options{Limits: Limits{Connections: 2 * n, PerListener: 2 * n, ConnectTime: time.Hour}}, nil)
	for _, kind := range []string{"silent", "subscriber"} {
		var grown, took float64
		for range b.N {
			v := spawn(b, b.TempDir())
			warm := join(b, v.addr, "warm", 4)
			warm.subscribe(b, 0, "cam/+/frame")
			before := memoryOf(b, v.cmd.Process.Pid)
			begun := time.Now()
			clients := make([]*client, n)
			for i := range clients {
				c := dial(b, v.addr)
				clients[i] = c
				if kind == "subscriber" {
					idle(b, c, i)
				}
			}
			took += time.Since(begun).Seconds()
			warm.sync(b)
			grown += float64(memoryOf(b, v.cmd.Process.Pid)-before) / n
			v.kill()
			for _, c := range clients {
				_ = c.c.Close()
			}
		}
		b.ReportMetric(grown/float64(b.N), "B/"+kind)
		if kind == "subscriber" {
			b.ReportMetric(n*float64(b.N)/took, "connects/s")
		}
	}
}

// idle makes a client that subscribes as a viewer does.
func idle(b *testing.B, c *client, i int) {
	b.Helper()
	c.joins(b, fmt.Sprint("viewer", i), 4)
	c.subscribe(b, 0, "cam/front/frame", "cam/front/state")
}

// BenchmarkConnectOnce measures CONNECT to CONNACK and a DISCONNECT, one after the other.
func BenchmarkConnectOnce(b *testing.B) {
	br := start(b, Options{})
	for b.Loop() {
		c := join(b, br.addr, "c", 4)
		_ = c.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Disconnect}})
		_ = c.c.Close()
	}
}
