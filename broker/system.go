package broker

import (
	"context"
	"runtime/metrics"
	"slices"
	"strconv"
	"sync"
	"time"

	"camqtt/broker/internal/sendqueue"
	"camqtt/broker/internal/sharedbuffer"
	"camqtt/internal/access"
	"camqtt/internal/mqtt"
)

// systemTopics are the messages under $SYS. They have the names that mosquitto gave
// them, because that is what people's dashboards look for.
type systemTopics struct {
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

// watchSystem publishes what changed under $SYS, every while, until ctx is done.
func (b *Broker) watchSystem(ctx context.Context) {
	tick := time.NewTicker(b.limits.SystemEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			b.publishSystem()
		}
	}
}

func (b *Broker) publishSystem() {
	for _, topic := range b.system.replace(b.systemValues(time.Now())) {
		if v, ok := b.system.get(topic); ok {
			b.deliver(&message{topic: topic, payload: sharedbuffer.Of([]byte(v)), retain: true})
		}
	}
}

func (b *Broker) systemValues(now time.Time) map[string]string {
	s := b.Stats()
	heap := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}} // runtime.ReadMemStats would stop the world
	metrics.Read(heap)
	m := map[string]string{
		"version": "camqtt",
		"uptime":  strconv.Itoa(int(now.Sub(b.started)/time.Second)) + " seconds",
	}
	if b.version != "" {
		m["version"] += " version " + b.version
	}
	for name, n := range map[string]int64{
		"clients/connected":         s.Clients,
		"clients/disconnected":      s.Sessions - s.Clients,
		"clients/total":             s.Sessions,
		"clients/maximum":           b.count.mostClients.Load(),
		"messages/received":         b.count.packetsIn.Load(),
		"publish/messages/received": s.MessagesIn,
		"publish/messages/sent":     s.MessagesOut,
		"publish/messages/dropped":  s.MessagesDropped,
		"bytes/received":            s.BytesIn,
		"bytes/sent":                s.BytesOut,
		"retained messages/count":   s.Retained,
		"store/messages/bytes":      s.RetainedBytes,
		"subscriptions/count":       int64(b.subs.size()),
		"heap/current":              int64(heap[0].Value.Uint64()),
		"pictures/received":         s.FramesIn,
		"pictures/sent":             s.FramesDelivered,
		"pictures/replaced":         s.FramesReplaced,
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

// sendSystem sends a connection what is under $SYS.
func (c *conn) sendSystem(a retainedAsk) {
	for _, topic := range c.b.system.matching(a.filter) {
		v, ok := c.b.system.get(topic)
		if !ok || !c.b.allowed(c.who, access.Receive, topic) {
			continue
		}
		m := &message{topic: topic, payload: sharedbuffer.Of([]byte(v)), retain: true}
		c.send.Push(sendqueue.Packet{Head: m.encode(delivery{version: c.version, retain: true, ids: a.ids}), Payload: m.payload}, sendqueue.Droppable)
	}
}
