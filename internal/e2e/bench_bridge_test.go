//go:build linux

package e2e

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"camqtt/internal/testkit"
)

// BenchmarkBridge is what a bridge of 1 and of 50 HTTP cameras costs in memory: after a
// snap of each, with nobody watching, and while all are watched at 2 pictures a second.
func BenchmarkBridge(b *testing.B) {
	for _, cameras := range []int{1, 50} {
		b.Run(strconv.Itoa(cameras), func(b *testing.B) {
			const seconds, fps = 10, 2
			y := newYard(b)
			for range cameras {
				y.add("capture", "source: WEB/capture/ID", "stats_every: 24h")
			}
			y.large(b)
			broker := startBroker(b)
			bridge := y.start(broker)
			r, l := watch(b, broker)
			testkit.Until(b, "the cameras are online", func() bool {
				return r.count(y.width, func(id string) bool { return r.online[id] }) == cameras
			})
			for id := range y.width {
				order(b, l, id, "snap id=1")
			}
			testkit.Until(b, "the cameras answer", func() bool {
				return r.count(y.width, func(id string) bool { return r.results[id].OK }) == cameras
			})
			pid := bridge.Cmd.Process.Pid
			time.Sleep(seconds * time.Second) // for the collector
			idle := memoryOf(b, pid, "VmRSS")
			for id := range y.width {
				order(b, l, id, fmt.Sprintf("start fps=%d", fps))
			}
			testkit.Until(b, "pictures come", func() bool {
				return r.count(y.width, func(id string) bool { return r.frames[id] > 2 }) == cameras
			})
			sum := func() (n int) {
				r.count(y.width, func(id string) bool { n += r.frames[id]; return true })
				return n
			}
			before, begun := sum(), cpuOf(b, pid)
			time.Sleep(seconds * time.Second)
			count, spent := sum()-before, cpuOf(b, pid)-begun
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(idle, "MB-resident-idle")
			b.ReportMetric(memoryOf(b, pid, "VmRSS"), "MB-resident-watched")
			b.ReportMetric(memoryOf(b, pid, "VmHWM"), "MB-resident-peak")
			b.ReportMetric(float64(count)/seconds, "fps-in-all")
			b.ReportMetric(float64(spent.Microseconds())/1e3/float64(max(count, 1)), "ms-cpu/frame")
		})
	}
}

// large gives all cameras a VGA picture of the size that cameras have.
func (y *yard) large(b *testing.B) {
	pic := testkit.JPEG(b, 640, 480, 1, 6)
	for id := range y.jpeg {
		y.jpeg[id] = pic
	}
	b.ReportMetric(float64(len(pic))/1e3, "KB/frame")
}
