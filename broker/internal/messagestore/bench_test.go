package messagestore

import (
	"fmt"
	"maps"
	"testing"
)

// BenchmarkStatusEachSecond is 1,000 cameras of which each changes its status once a
// second, written every two seconds: what that writes in a second, beside what writing
// everything anew does.
func BenchmarkStatusEachSecond(b *testing.B) {
	s, _ := opened(b, b.TempDir())
	now := map[string]Message{}
	put := func(topic string, bytes int) Message {
		m := Message{Topic: topic, Payload: fmt.Appendf(nil, "%0*d", bytes, 1), QoS: 1}
		now[topic] = m
		return m
	}
	for i := range 1000 {
		id := fmt.Sprintf("camera-%d", i)
		put("cam/"+id+"/info", 700)
		put("cam/"+id+"/state", 300)
		put("homeassistant/device/camqtt_"+id+"/config", 6500)
	}
	written, rewritten, seconds := int64(0), int64(0), 0
	for range b.N {
		seconds += 2
		var changed []Message
		for i := range 1000 {
			changed = append(changed, put(fmt.Sprintf("cam/camera-%d/status", i), 6+seconds%4/2))
		}
		before := s.log.size
		if s.Wasteful() {
			if err := s.Compact(maps.Values(now)); err != nil {
				b.Fatal(err)
			}
			before, written = s.log.size, written+s.log.size
		}
		write(b, s, changed...)
		written += s.log.size - before
		rewritten += max(s.log.live, 1)
	}
	b.ReportMetric(float64(written)/float64(seconds)/1000, "kB/s")
	b.ReportMetric(float64(rewritten)/float64(seconds)/1000, "rewriting-kB/s")
}
