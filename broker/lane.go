package broker

import (
	"math"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/mochi-mqtt/server/v2/packets"

	"camqtt/broker/internal/sendqueue"
	"camqtt/internal/access"
)

// target is one receiver of a topic.
type target struct {
	session *session
	conn    *conn // nil while the client is away
	id      string
	account string // "": none
	version byte
	qos     byte
	noLocal bool
	retain  bool // retain as published
	max     int  // largest packet the client takes; 0 any. [MQTT-3.1.2-24]
	ids     []int
}

// fan is everybody who receives a topic.
type fan struct {
	each   []target
	shared [][]target // one of each group gets it
	turn   atomic.Int64
}

// publish keeps a message if it is to be retained and hands it to everybody who
// receives its topic, in this goroutine and without waiting for any of them. false:
// nobody does.
func (b *Broker) publish(m *message) bool {
	if m.kind == frame {
		m.retain = false // topics.md: frame is never retained
	}
	if m.kind != ordinary {
		b.countPicture(m)
	}
	if m.retain {
		b.retained.set(m)
	}
	return b.deliver(m)
}

// deliver hands a message to everybody who receives its topic.
func (b *Broker) deliver(m *message) bool {
	f := b.fans.get(m.topic)
	h := heads{m: m}
	for i := range f.each {
		b.give(&f.each[i], &h)
	}
	if len(f.shared) > 0 {
		turn := int(f.turn.Add(1)-1) & math.MaxInt32
		for _, group := range f.shared {
			if t := choose(group, turn, m); t != nil {
				b.give(t, &h)
			}
		}
	}
	return len(f.each)+len(f.shared) > 0
}

// give hands a message to one receiver.
func (b *Broker) give(t *target, h *heads) {
	m := h.m
	if t.noLocal && t.id == m.from { // [MQTT-3.8.3-3]
		return
	}
	retain := m.retain && t.retain && t.version == 5
	if qos := min(m.qos, t.qos); qos > 0 || m.command && t.conn != nil {
		t.session.send(m, delivery{version: t.version, qos: qos, retain: retain, ids: t.ids})
		return
	}
	if t.conn == nil {
		return
	}
	head := h.get(t.version, retain, t.ids)
	if t.max > 0 && len(head)+len(m.payload.Bytes) > t.max {
		return
	}
	// While announcements of snapshots wait for acknowledgements, a snapshot must not
	// overtake its own.
	if m.kind == snapshot && t.session.follow(m, delivery{version: t.version, retain: retain, ids: t.ids}) {
		return
	}
	b.count.messagesOut.Add(1)
	t.conn.pushMessage(m, head)
}

// pushMessage hands over a message at QoS 0. Only pictures that were published at
// QoS 0 replace each other.
func (c *conn) pushMessage(m *message, head []byte) {
	if m.kind != ordinary && m.qos == 0 {
		c.send.Push(m.picture(head), sendqueue.Newest)
		return
	}
	c.send.Push(sendqueue.Packet{Head: head, Payload: m.payload, Account: m.account}, sendqueue.Droppable)
}

// choose picks one member of a share group: the next one that is connected, else,
// for QoS 1 and 2, one whose session will keep the message. [MQTT-4.8.2-4]
func choose(group []target, turn int, m *message) *target {
	start := turn % len(group)
	var away *target
	for i := range group {
		t := &group[(start+i)%len(group)]
		if t.conn != nil && !t.conn.send.Closed() {
			return t
		}
		if away == nil && min(m.qos, t.qos) > 0 {
			away = t
		}
	}
	return away
}

// changed makes every fan be found anew.
func (b *Broker) changed() { b.fans.forgetAll() }

// newFan finds who receives a topic. Rights are looked up here, once for each receiver:
// whatever changes them must call [Broker.changed], and whatever changes subscriptions or
// the connection behind them [fanCache.forget].
func (b *Broker) newFan(topic string) *fan {
	each, shared := b.subs.matching(topic)
	f := &fan{each: make([]target, 0, len(each))}
	for id, s := range each {
		if t, ok := b.target(id, topic, s); ok {
			f.each = append(f.each, t)
		}
	}
	for _, members := range shared {
		// Nobody takes what is another account's by joining its group.
		groups := make(map[string][]target, 1)
		for id, s := range members {
			if t, ok := b.target(id, topic, s); ok {
				groups[t.account] = append(groups[t.account], t)
			}
		}
		for _, group := range groups {
			slices.SortFunc(group, func(x, y target) int { return strings.Compare(x.id, y.id) })
			f.shared = append(f.shared, group)
		}
	}
	return f
}

// target turns a subscription into a receiver.
func (b *Broker) target(id, topic string, s packets.Subscription) (target, bool) {
	ss := b.sessions.get(id)
	if ss == nil {
		return target{}, false
	}
	c, as := ss.peer()
	if !b.allowed(as.who, access.Receive, topic) {
		return target{}, false
	}
	return target{
		session: ss, conn: c, id: id, account: as.who.Name,
		version: as.version, max: as.max,
		qos: min(s.Qos, 2), noLocal: s.NoLocal, retain: s.RetainAsPublished, ids: identifiers(s),
	}, true
}

func identifiers(s packets.Subscription) (ids []int) {
	if len(s.Identifiers) == 0 && s.Identifier > 0 {
		return []int{s.Identifier}
	}
	for _, n := range s.Identifiers {
		if n > 0 {
			ids = append(ids, n)
		}
	}
	slices.Sort(ids)
	return ids
}
