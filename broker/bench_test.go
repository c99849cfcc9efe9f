//go:build unix

package broker

import (
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"
)

// cpu gives the processor time of this process.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkDelivery publishes 50 KB frames, each when every viewer has the last one,
// and reports the processor time of this process per delivered frame. The viewers'
// reading is in it; the sub-benchmark "bare" is the same work with a plain write per
// viewer in the broker's place, so the difference is the broker.
func BenchmarkDelivery(b *testing.B) {
	for _, viewers := range []int{1, 20, 100} {
		b.Run(fmt.Sprintf("viewers=%d", viewers), func(b *testing.B) { benchDelivery(b, viewers) })
		b.Run(fmt.Sprintf("bare=%d", viewers), func(b *testing.B) { benchBare(b, viewers) })
	}
}

const benchFrame = 50_000

// readFrames reads n bytes per frame and tells.
func readFrames(c io.Reader, n int, got *sync.WaitGroup) {
	buf := make([]byte, n)
	for {
		if _, err := io.ReadFull(c, buf); err != nil {
			return
		}
		got.Done()
	}
}

func benchDelivery(b *testing.B, viewers int) {
	br := start(b, Options{})
	var got sync.WaitGroup
	size := 1 + 3 + 2 + len("cam/front/frame") + benchFrame
	for i := range viewers {
		c := join(b, br.addr, fmt.Sprint("viewer", i), 4)
		c.subscribe(b, 0, "cam/front/frame")
		_ = c.c.SetReadDeadline(time.Time{})
		go readFrames(c.r, size, &got) // ends with the connection
	}
	pub := join(b, br.addr, "pub", 4)
	packet, err := encode(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish}, TopicName: "cam/front/frame", Payload: make([]byte, benchFrame)}, 4)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	begun := cpu(b)
	for b.Loop() {
		got.Add(viewers)
		if _, err := pub.c.Write(packet); err != nil {
			b.Fatal(err)
		}
		got.Wait()
	}
	spent := cpu(b) - begun
	b.ReportMetric(float64(spent.Microseconds())/float64(b.N*viewers), "us-cpu/delivered")
	if s := br.Stats(); s.FramesReplaced > 0 {
		b.Errorf("%d frames were replaced", s.FramesReplaced)
	}
}

func benchBare(b *testing.B, viewers int) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	var got sync.WaitGroup
	var out []net.Conn
	for range viewers {
		near, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		far, err := l.Accept()
		if err != nil {
			b.Fatal(err)
		}
		defer near.Close()
		defer far.Close()
		out = append(out, far)
		go readFrames(near, benchFrame, &got) // ends with the connection
	}
	body := make([]byte, benchFrame)
	begun := cpu(b)
	for b.Loop() {
		got.Add(viewers)
		for _, c := range out {
			if _, err := c.Write(body); err != nil {
				b.Fatal(err)
			}
		}
		got.Wait()
	}
	spent := cpu(b) - begun
	b.ReportMetric(float64(spent.Microseconds())/float64(b.N*viewers), "us-cpu/delivered")
}
