package broker

import (
	"strings"
	"sync"

	"camqtt/internal/mqtt"
)

// dump sends a connection the retained messages of the filters it has subscribed to:
// at once while they find room, the rest in a goroutine that waits for room. The
// connection's reader must not wait for it: a client may be unable to read while
// nobody reads what it writes.
type dump struct {
	senders sync.WaitGroup

	mu      sync.Mutex
	asks    []retainedAsk
	current retainedAsk
	topics  []string // of current, still to be sent
	running bool
}

// answerAsked begins to send what the filters just accepted ask for.
func (c *conn) answerAsked(asked []retainedAsk) {
	d := &c.dump
	d.mu.Lock()
	tooMany := len(d.asks) > c.b.limits.Subscriptions
	d.asks = append(d.asks, asked...)
	begin := !d.running && len(d.asks) > 0
	d.running = d.running || begin
	d.mu.Unlock()
	switch {
	case tooMany:
		c.b.log.client(c, "client subscribes faster than it takes what is retained")
		c.kick(mqtt.QuotaExceeded)
	case begin && !c.sendDump(false):
		d.senders.Go(func() { c.sendDump(true) }) // ends when all is sent or the connection is closed; serve waits
	}
}

// sendDump sends until nothing is asked for, or, unless it shall wait, until there is
// no room. false: there is more.
func (c *conn) sendDump(wait bool) bool {
	for {
		if !wait && c.send.Full() {
			return false
		}
		if wait && !c.send.WaitRoom() {
			return true
		}
		a, topic, ok := c.nextDump()
		if !ok {
			return true
		}
		if topic != "" {
			c.b.retained.send(c, a, topic)
		}
	}
}

// nextDump gives the next message to send; the topic is empty where a filter's have
// just been looked up.
func (c *conn) nextDump() (a retainedAsk, topic string, ok bool) {
	d := &c.dump
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
	d.topics = c.b.retained.topics(d.current.filter)
	if strings.HasPrefix(d.current.filter, systemPrefix) {
		c.sendSystem(d.current)
	}
	return d.current, "", true
}
