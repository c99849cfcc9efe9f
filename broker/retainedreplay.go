package broker

import (
	"strings"
	"sync"

	"camqtt/broker/internal/sendqueue"
	"camqtt/broker/internal/sharedbuffer"
	"camqtt/internal/access"
	"camqtt/internal/mqtt"
)

// retainedReplay sends a connection the retained messages of the filters it has subscribed to:
// at once while they find room, the rest in a goroutine that waits for room. The
// connection's reader must not wait for it: a client may be unable to read while
// the broker does not read what it writes.
type retainedReplay struct {
	c       *conn
	senders sync.WaitGroup

	mu      sync.Mutex
	asks    []retainedAsk
	current retainedAsk
	topics  []string // of current, still to be sent
	running bool
}

// start begins to send what the filters just accepted ask for.
func (d *retainedReplay) start(asked []retainedAsk) {
	d.mu.Lock()
	tooMany := len(d.asks) > d.c.b.limits.Subscriptions
	d.asks = append(d.asks, asked...)
	begin := !d.running && len(d.asks) > 0
	d.running = d.running || begin
	d.mu.Unlock()
	switch {
	case tooMany:
		d.c.b.log.warnClient(d.c, "client subscribes faster than it takes what is retained")
		d.c.kick(mqtt.QuotaExceeded)
	case begin && !d.send(false):
		d.senders.Go(func() { d.send(true) }) // ends when all is sent or the connection is closed; serve waits
	}
}

// send sends until nothing is asked for, or, unless it shall wait, until there is
// no room. false: there is more.
func (d *retainedReplay) send(wait bool) bool {
	for {
		if !wait && d.c.send.Full() {
			return false
		}
		if wait && !d.c.send.WaitRoom() {
			return true
		}
		a, topic, ok := d.next()
		if !ok {
			return true
		}
		if topic != "" {
			d.c.b.retained.send(d.c, a, topic)
		}
	}
}

// next gives the next message to send; the topic is empty where a filter's have
// just been looked up.
func (d *retainedReplay) next() (a retainedAsk, topic string, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.topics) > 0 {
		topic, d.topics = d.topics[0], d.topics[1:]
		return d.current, topic, true
	}
	if len(d.asks) == 0 {
		d.asks, d.topics, d.running = nil, nil, false
		return a, "", false
	}
	d.current, d.asks = d.asks[0], d.asks[1:]
	d.topics = d.c.b.retained.topics(d.current.filter)
	if strings.HasPrefix(d.current.filter, systemPrefix) {
		d.sendSystem(d.current)
	}
	return d.current, "", true
}

// sendSystem sends a connection what is under $SYS.
func (d *retainedReplay) sendSystem(a retainedAsk) {
	for _, topic := range d.c.b.system.matching(a.filter) {
		v, ok := d.c.b.system.get(topic)
		if !ok || !d.c.b.rights.allowed(d.c.who, access.Receive, topic) {
			continue
		}
		m := &message{topic: topic, payload: sharedbuffer.Of([]byte(v)), retain: true}
		d.c.send.Push(sendqueue.Packet{Head: m.encode(delivery{version: d.c.version, retain: true, ids: a.ids}), Payload: m.payload}, sendqueue.Droppable)
	}
}
