//go:build linux

package broker

import (
	"fmt"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"
)

// BenchmarkVisits is what 200 clients a second that come, subscribe to a topic and go cost
// a broker, beside 300 cameras of which each sends 10 small pictures a second to a viewer.
func BenchmarkVisits(b *testing.B) {
	const cameras, perSecond, pictures = 300, 200, 10
	for _, name := range []string{ours, mosquitto} {
		b.Run(name, func(b *testing.B) {
			on := newStage(b).start(name, transport{})
			stop := make(chan struct{})
			defer close(stop)
			for i := range cameras {
				topic := topicOf(i)
				viewer := on.join(b, fmt.Sprint("viewer-", i), 4)
				viewer.subscribe(b, 0, topic)
				_ = viewer.c.SetReadDeadline(time.Time{})
				go func() { // ends with the connection
					for {
						if _, err := viewer.r.Discard(1); err != nil {
							return
						}
					}
				}()
				camera := on.join(b, fmt.Sprint("camera-", i), 4)
				go func() { // ends with stop
					tick := time.NewTicker(time.Second / pictures)
					defer tick.Stop()
					for {
						select {
						case <-stop:
							return
						case <-tick.C:
							_ = camera.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish}, TopicName: topic, Payload: make([]byte, 1000)})
						}
					}
				}()
			}
			cost := func(visit bool) (cpu float64, visits int) {
				const span = 5 * time.Second
				before, begun := on.cpu(b), time.Now()
				tick := time.NewTicker(time.Second / perSecond)
				defer tick.Stop()
				for time.Since(begun) < span {
					<-tick.C
					if !visit {
						continue
					}
					c := on.join(b, fmt.Sprint("visitor-", visits), 4)
					c.subscribe(b, 0, topicOf(visits%cameras))
					_ = c.c.Close()
					visits++
				}
				return float64((on.cpu(b) - before).Milliseconds()) / time.Since(begun).Seconds(), visits
			}
			alone, _ := cost(false)
			beside, visits := cost(true)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(alone, "ms-cpu/s-alone")
			b.ReportMetric(beside, "ms-cpu/s-beside")
			b.ReportMetric(float64(visits)/5, "visits/s")
		})
	}
}
