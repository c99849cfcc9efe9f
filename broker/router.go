package broker

import (
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"camqtt/broker/internal/sendqueue"
	"camqtt/broker/internal/sharedbuffer"
	"camqtt/internal/access"
	"camqtt/internal/mqtt"
)

// receiver is one receiver of a topic.
type receiver struct {
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

// fanout is the receivers of a topic.
type fanout struct {
	each   []receiver
	shared [][]receiver // one of each group gets it
	turn   atomic.Int64
}

// router hands messages to their receivers.
type router struct {
	base     string
	rights   *rights
	subs     *subscriptions
	fanouts  *fanoutCache
	sessions *sessions
	retained *retained
	cameras  *cameras
	count    *counters
}

// publish keeps a message if it is to be retained and hands it to the
// receivers of its topic, in this goroutine and without waiting for any of them. false:
// there are none.
func (r *router) publish(m *message) bool {
	if m.kind == frame {
		m.retain = false // topics.md: frame is never retained
	}
	if m.kind != ordinary {
		r.countPicture(m)
	}
	if m.retain {
		r.retained.set(m)
	}
	return r.deliver(m)
}

// deliver hands a message to the receivers of its topic.
func (r *router) deliver(m *message) bool {
	f := r.fanouts.get(m.topic)
	h := heads{m: m}
	for i := range f.each {
		r.deliverTo(&f.each[i], &h)
	}
	if len(f.shared) > 0 {
		turn := int(f.turn.Add(1)-1) & math.MaxInt32
		for _, group := range f.shared {
			if t := choose(group, turn, m); t != nil {
				r.deliverTo(t, &h)
			}
		}
	}
	return len(f.each)+len(f.shared) > 0
}

// deliverTo hands a message to one receiver.
func (r *router) deliverTo(t *receiver, h *heads) {
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
	if m.kind == snapshot && t.session.queueBehind(m, delivery{version: t.version, retain: retain, ids: t.ids}) {
		return
	}
	r.count.messagesOut.Add(1)
	pushMessage(t.conn, m, head)
}

// pushMessage hands over a message at QoS 0. Only pictures that were published at
// QoS 0 replace each other.
func pushMessage(c *conn, m *message, head []byte) {
	if m.kind != ordinary && m.qos == 0 {
		c.send.Push(m.picture(head), sendqueue.Newest)
		return
	}
	c.send.Push(sendqueue.Packet{Head: head, Payload: m.payload, Account: m.account}, sendqueue.Droppable)
}

// choose picks one member of a share group: the next one that is connected, else,
// for QoS 1 and 2, one whose session will keep the message. [MQTT-4.8.2-4]
func choose(group []receiver, turn int, m *message) *receiver {
	start := turn % len(group)
	var away *receiver
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

// newFanout finds the receivers of a topic. Rights are looked up here, once for each receiver:
// whatever changes them must call [fanoutCache.forgetAll], and whatever changes subscriptions
// or the connection behind them [fanoutCache.forget].
func (r *router) newFanout(topic string) *fanout {
	each, shared := r.subs.matching(topic)
	f := &fanout{each: make([]receiver, 0, len(each))}
	for id, s := range each {
		if t, ok := r.receiver(id, topic, s); ok {
			f.each = append(f.each, t)
		}
	}
	for _, members := range shared {
		// A client cannot take another account's messages by joining its group.
		groups := make(map[string][]receiver, 1)
		for id, s := range members {
			if t, ok := r.receiver(id, topic, s); ok {
				groups[t.account] = append(groups[t.account], t)
			}
		}
		for _, group := range groups {
			slices.SortFunc(group, func(x, y receiver) int { return strings.Compare(x.id, y.id) })
			f.shared = append(f.shared, group)
		}
	}
	return f
}

// receiver turns a subscription into a receiver.
func (r *router) receiver(id, topic string, s packets.Subscription) (receiver, bool) {
	ss := r.sessions.get(id)
	if ss == nil {
		return receiver{}, false
	}
	c, as := ss.peer()
	if !r.rights.allowed(as.who, access.Receive, topic) {
		return receiver{}, false
	}
	return receiver{
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

// message makes a message of a PUBLISH or a will. It keeps the payload.
func (r *router) message(p *mqtt.PublishPacket, payload []byte, from string) *message {
	m := &message{topic: p.Topic, payload: sharedbuffer.Of(payload), qos: p.QoS, retain: p.Retain, from: from}
	m.command, _ = cameraTopic(r.base, m.topic)
	if id, k := picture(r.base, m.topic); k != ordinary {
		m.kind, m.cam = k, r.cameras.get(id)
	}
	if p.Props == nil {
		return m
	}
	m.props = p.Props.Forwarded()
	if p.Props.MessageExpiry > 0 {
		m.expiry = time.Now().Unix() + int64(p.Props.MessageExpiry)
	}
	return m
}

// takesCommand reports whether every camera that receives a topic can take one more
// command of an account.
func (r *router) takesCommand(topic, account string) bool {
	f := r.fanouts.get(topic)
	for i := range f.each {
		if !f.each[i].session.takesCommand(account) {
			return false
		}
	}
	return true
}

func (r *router) countPicture(m *message) {
	r.count.framesIn.Add(1)
	if m.cam != nil {
		m.cam.in.Add(1)
		m.cam.bytes.Add(int64(len(m.payload.Bytes)))
		m.cam.last.Store(time.Now().UnixNano())
	}
}
