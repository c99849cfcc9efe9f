//go:build linux

package broker

import (
	"flag"
	"fmt"
	"math"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var benchStall = flag.Duration("stall", 20*time.Second, "how long viewers are stuck; the goal is set for 60s")

// BenchmarkStalled watches what ten viewers that never read do, at 30 fps, to the
// broker's memory and to the pictures of twenty healthy ones.
func BenchmarkStalled(b *testing.B) {
	const stuck, healthy, fps = 10, 20, 30
	for _, name := range []string{ours, mosquitto, library} {
		b.Run(name, func(b *testing.B) {
			f := newFleet(b, newStage(b).start(name, transport{}), 4)
			f.add(1, healthy)
			alone := f.play(fps, 5*time.Second)
			for i := range stuck {
				f.on.join(b, fmt.Sprint("stuck-", i), 4).subscribe(b, 0, topicOf(0))
			}
			first := f.play(fps, *benchStall/2)
			early := f.on.memory(b)
			second := f.play(fps, *benchStall/2)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(early/1e6, "MB-halfway")
			b.ReportMetric(f.on.memory(b)/1e6, "MB-end")
			b.ReportMetric((f.on.memory(b)-early)/1e6, "MB-grown")
			b.ReportMetric(percentile(alone.ages, 0.99), "ms-age-p99-before")
			b.ReportMetric(percentile(append(first.ages, second.ages...), 0.99), "ms-age-p99-beside")
		})
	}
}

// BenchmarkSlow is the age of the pictures that a viewer gets whose line carries a third
// of what it would need.
func BenchmarkSlow(b *testing.B) {
	const (
		fps  = 15
		rate = fps * pictureBytes / 3 // bytes per second
	)
	for _, name := range []string{ours, mosquitto, library} {
		b.Run(name, func(b *testing.B) {
			f := newFleet(b, newStage(b).start(name, transport{}), 4)
			f.add(1, 1)
			conn, err := f.on.dial(16 << 10)
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { _ = conn.Close() })
			slow := newClient(&narrow{Conn: conn, rate: rate})
			slow.joins(b, "slow", 4)
			slow.subscribe(b, 0, topicOf(0))
			_ = conn.SetReadDeadline(time.Time{})
			var mu sync.Mutex
			var ages []time.Duration
			go func() { // ends with the connection
				for sent, err := slow.skim(); err == nil; sent, err = slow.skim() {
					mu.Lock()
					ages = append(ages, time.Since(sent))
					mu.Unlock()
				}
			}()
			f.play(fps, 20*time.Second)
			mu.Lock()
			defer mu.Unlock()
			if len(ages) == 0 {
				b.Fatal("the slow viewer got nothing")
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(len(ages)), "pictures")
			b.ReportMetric(percentile(ages, 0.5)/1e3, "s-age-p50")
			b.ReportMetric(percentile(ages, 1)/1e3, "s-age-max")
			b.ReportMetric(ages[len(ages)-1].Seconds(), "s-age-last")
		})
	}
}

// narrow is a line of so many bytes per second.
type narrow struct {
	net.Conn
	rate int
	next time.Time
}

// Read takes little at a time, and then as long as the line would have.
func (n *narrow) Read(p []byte) (int, error) {
	if now := time.Now(); n.next.Before(now.Add(-100 * time.Millisecond)) {
		n.next = now
	}
	time.Sleep(time.Until(n.next))
	k, err := n.Conn.Read(p[:min(len(p), n.rate/100)])
	n.next = n.next.Add(time.Duration(k) * time.Second / time.Duration(n.rate))
	return k, err
}

// BenchmarkConnects is how many clients per second come, are let in and go, eight at a
// time, and what one costs the broker. The brokers take turns.
func BenchmarkConnects(b *testing.B) {
	order := []string{ours, mosquitto, library}
	s, on := newStage(b), map[string]*contender{}
	for _, name := range order {
		on[name] = s.start(name, transport{})
	}
	rates, costs := map[string][]float64{}, map[string][]float64{}
	for i := range *benchRounds {
		for k := range order {
			c := on[order[(i+k)%len(order)]]
			before := c.cpu(b)
			n := crowd(b, c, *benchRound)
			rates[c.name] = append(rates[c.name], float64(n)/benchRound.Seconds())
			costs[c.name] = append(costs[c.name], float64((c.cpu(b)-before).Microseconds())/float64(n))
		}
	}
	b.ReportMetric(0, "ns/op")
	for _, name := range order {
		b.ReportMetric(math.Round(median(rates[name])), name+"-connects/s")
		b.ReportMetric(median(costs[name]), name+"-us-cpu/connect")
	}
}

// crowd connects and leaves for a while, and counts.
func crowd(b *testing.B, on *contender, d time.Duration) int64 {
	b.Helper()
	var n atomic.Int64
	var all sync.WaitGroup
	end := time.Now().Add(d)
	for w := range 8 {
		all.Go(func() { // ends when the time is over
			for i := 0; time.Now().Before(end); i++ {
				conn, err := on.dial(0)
				if err != nil {
					b.Errorf("%s: %v", on.name, err)
					return
				}
				_, err = newClient(conn).try(fmt.Sprintf("c-%d-%d", w, i), 4)
				conn.Close()
				if err != nil {
					b.Errorf("%s: no CONNACK: %v", on.name, err)
					return
				}
				n.Add(1)
			}
		})
	}
	all.Wait()
	return n.Load()
}

// BenchmarkIdle is the resident memory of one connection that has subscribed and waits.
func BenchmarkIdle(b *testing.B) {
	const clients = 2000 // as many as ours lets in
	for _, name := range []string{ours, mosquitto, library} {
		b.Run(name, func(b *testing.B) {
			on := newStage(b).start(name, transport{})
			before := on.memory(b)
			for i := range clients {
				on.join(b, fmt.Sprint("idle-", i), 4).subscribe(b, 0, topicOf(i))
			}
			time.Sleep(5 * time.Second) // what was freed goes back to the system meanwhile
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(before/1e6, "MB-empty")
			b.ReportMetric((on.memory(b)-before)/1024/clients, "KB/connection")
		})
	}
}
