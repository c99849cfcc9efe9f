//go:build vm

package vmtest

import (
	"regexp"
	"strconv"
	"testing"
	"time"
)

// BenchmarkInstructions counts the instructions that a picture of 640x480 costs
// on the processors of Raspberry Pis, which is the same on every machine and at
// any load. What is counted is the benchmark VGA of package camera.
func BenchmarkInstructions(b *testing.B) {
	for _, x := range []struct{ name, goarch string }{{"arm64", "arm64"}, {"armv6", "arm"}} {
		b.Run(x.name, func(b *testing.B) {
			k := kernel(b, x.goarch)
			m := Machine{
				Kernel: k, Boot: build(b, x.goarch, "build", "camqtt/node/camera/vmtest/boot"), Count: true,
				Files:   map[string]string{"/bin/guest": build(b, x.goarch, "test", "-c", "camqtt/node/camera")},
				Command: []string{"/bin/guest", "-test.run", "^$", "-test.bench", "^BenchmarkVGA$", "-test.benchtime", "10x"},
				Limit:   5 * time.Minute,
			}
			r, err := m.Run(b.Context())
			if err != nil || r.Status != 0 {
				b.Fatalf("machine: status %d, %v\n%s", r.Status, err, r.Console)
			}
			all := regexp.MustCompile(`(?m)^BenchmarkVGA/(\S+)\s+\d+\s+([0-9.]+) ns/op`).FindAllStringSubmatch(r.Console, -1)
			if len(all) == 0 {
				b.Fatalf("no figures:\n%s", r.Console)
			}
			for _, way := range all {
				n, err := strconv.ParseFloat(way[2], 64)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(n/1e6, "M/"+way[1])
			}
			b.ReportMetric(0, "ns/op") // that of the whole machine says nothing
		})
	}
}
