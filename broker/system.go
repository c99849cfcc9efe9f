package broker

import (
	"context"
	"runtime/metrics"
	"slices"
	"strconv"
	"sync"
	"time"

	"camqtt/broker/internal/sharedbuffer"
	"camqtt/internal/mqtt"
)

// systemTopics are the messages under $SYS. They have the names that mosquitto gave
// them, because that is what people's dashboards look for.
type systemTopics struct {
	version string
	started time.Time
	stats   func() Stats
	count   *counters
	subs    *subscriptions
	deliver func(*message) bool

	mu sync.Mutex
	m  map[string]string
}

// get gives the value of a topic.
func (s *systemTopics) get(topic string) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.m[topic]
	return v, ok
}

// matching gives the topics under a filter, in order.
func (s *systemTopics) matching(filter string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for topic := range s.m {
		if mqtt.Matches(filter, topic) {
			out = append(out, topic)
		}
	}
	slices.Sort(out)
	return out
}

// replace puts new values in the place of all and gives the topics whose value changed.
func (s *systemTopics) replace(m map[string]string) (changed []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for topic, v := range m {
		if s.m[topic] != v {
			changed = append(changed, topic)
		}
	}
	s.m = m
	slices.Sort(changed)
	return changed
}

// watch publishes what changed under $SYS, every while, until ctx is done.
func (s *systemTopics) watch(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.publish()
		}
	}
}

// publish delivers the values that have changed.
func (s *systemTopics) publish() {
	for _, topic := range s.replace(s.values(time.Now())) {
		if v, ok := s.get(topic); ok {
			s.deliver(&message{topic: topic, payload: sharedbuffer.Of([]byte(v)), retain: true})
		}
	}
}

func (s *systemTopics) values(now time.Time) map[string]string {
	stats := s.stats()
	heap := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}} // runtime.ReadMemStats would stop the world
	metrics.Read(heap)
	m := map[string]string{
		"version": "camqtt",
		"uptime":  strconv.Itoa(int(now.Sub(s.started)/time.Second)) + " seconds",
	}
	if s.version != "" {
		m["version"] += " version " + s.version
	}
	for name, n := range map[string]int64{
		"clients/connected":         stats.Clients,
		"clients/disconnected":      stats.Sessions - stats.Clients,
		"clients/total":             stats.Sessions,
		"clients/maximum":           s.count.mostClients.Load(),
		"messages/received":         s.count.packetsIn.Load(),
		"publish/messages/received": stats.MessagesIn,
		"publish/messages/sent":     stats.MessagesOut,
		"publish/messages/dropped":  stats.MessagesDropped,
		"bytes/received":            stats.BytesIn,
		"bytes/sent":                stats.BytesOut,
		"retained messages/count":   stats.Retained,
		"store/messages/bytes":      stats.RetainedBytes,
		"subscriptions/count":       int64(s.subs.size()),
		"heap/current":              int64(heap[0].Value.Uint64()),
		"pictures/received":         stats.FramesIn,
		"pictures/sent":             stats.FramesDelivered,
		"pictures/replaced":         stats.FramesReplaced,
	} {
		m[name] = strconv.FormatInt(max(n, 0), 10)
	}
	out := make(map[string]string, len(m))
	for name, v := range m {
		out[systemPrefix+"broker/"+name] = v
	}
	return out
}

const systemPrefix = "$SYS/"
