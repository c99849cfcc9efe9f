//go:build linux

package broker

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"camqtt/internal/testkit"
)

// flooder as the second argument makes the test binary a client that sends as fast as it
// is let, in a process of its own.
const flooder = "flooder"

// floods are small packets that cost a broker more than who sends them, by kind.
var floods = map[string][]packets.Packet{
	"ping":    {{FixedHeader: packets.FixedHeader{Type: packets.Pingreq}}},
	"publish": {{FixedHeader: packets.FixedHeader{Type: packets.Publish}, TopicName: "cam/x/stats", Payload: []byte("x")}},
	"subscribe": {
		{FixedHeader: packets.FixedHeader{Type: packets.Subscribe, Qos: 1}, PacketID: 1, Filters: packets.Subscriptions{{Filter: "cam/x/info"}}},
		{FixedHeader: packets.FixedHeader{Type: packets.Unsubscribe, Qos: 1}, PacketID: 2, Filters: packets.Subscriptions{{Filter: "cam/x/info"}}},
	},
}

// flood connects so many times and sends one kind of packet without end. It says when it
// has begun.
func flood(kind, addr, connections string) error {
	n, err := strconv.Atoi(connections)
	if err != nil {
		return err
	}
	var all []byte
	for _, pk := range floods[kind] {
		b, err := encode(pk, 4)
		if err != nil {
			return err
		}
		all = append(all, b...)
	}
	all = bytes.Repeat(all, 1000)
	failed := make(chan error, 2*n)
	for i := range n {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return err
		}
		c := &client{c: conn, r: bufio.NewReader(conn)}
		if ack, err := c.try(fmt.Sprint("flooder-", i), 4); err != nil || ack.ReasonCode != 0 {
			return fmt.Errorf("CONNACK %d: %w", ack.ReasonCode, err)
		}
		_ = conn.SetDeadline(time.Time{})
		go func() { // ends with the process
			_, err := io.Copy(io.Discard, c.r)
			failed <- errors.Join(err, io.EOF)
		}()
		go func() { // ends with the process
			for {
				if _, err := conn.Write(all); err != nil {
					failed <- err
					return
				}
			}
		}()
	}
	fmt.Println("begun")
	return <-failed
}

// BenchmarkFlood is the age of the pictures of one camera at 10 a second that one viewer
// gets, before and while eight connections send small packets as fast as they can, and
// what those cost the broker.
func BenchmarkFlood(b *testing.B) {
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	for _, kind := range []string{"ping", "publish", "subscribe"} {
		for _, name := range []string{ours, mosquitto} {
			b.Run(kind+"/"+name, func(b *testing.B) {
				f := newFleet(b, newStage(b).start(name, transport{}), 4)
				f.add(1, 1)
				f.play(10, time.Second)
				alone := f.play(10, 3*time.Second)
				p := testkit.Start(b, self, childArg, flooder, kind, f.on.plain, "8")
				testkit.Until(b, "the flood has begun", func() bool { return p.Out() != "" || p.Ended() })
				f.play(10, 2*time.Second) // what it has at once
				start := time.Now()
				beside := f.play(10, 5*time.Second)
				took := time.Since(start)
				if p.Ended() {
					b.Fatalf("the flood has ended: %s", p.Err())
				}
				p.Signal(syscall.SIGKILL)
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(percentile(alone.ages, 0.5), "ms-age-p50-before")
				b.ReportMetric(percentile(alone.ages, 0.95), "ms-age-p95-before")
				b.ReportMetric(percentile(beside.ages, 0.5), "ms-age-p50-beside")
				b.ReportMetric(percentile(beside.ages, 0.95), "ms-age-p95-beside")
				b.ReportMetric(100*beside.cpu.Seconds()/took.Seconds(), "%-cpu-beside")
			})
		}
	}
}
