package broker

import (
	"time"

	"camqtt/broker/internal/sendqueue"
	"camqtt/internal/access"
	"camqtt/internal/mqtt"
)

// inflight is one message at QoS 1 or 2 for one client.
type inflight struct {
	m        *message
	d        delivery
	released bool // QoS 2: PUBREC has come [MQTT-4.3.3-4]
}

// windowFull reports whether the window of unacknowledged messages is full. The caller holds mu.
func (s *session) windowFull() bool {
	n := len(s.inflight)
	return n >= s.terms.window || n > 0 && (s.inflightBytes > s.b.limits.QueueBytes || s.conn.send.Full())
}

// put hands a message to the connection. false: the client does not take packets that
// large. The caller holds mu.
func (s *session) put(f *inflight) bool {
	head := f.m.encode(f.d)
	if s.terms.max > 0 && len(head)+len(f.m.payload.Bytes) > s.terms.max {
		return false
	}
	s.b.count.messagesOut.Add(1)
	s.conn.send.Push(sendqueue.Packet{Head: head, Payload: f.m.payload}, sendqueue.Needed)
	return true
}

// newID gives an unused packet identifier. The caller holds mu.
func (s *session) newID() uint16 {
	for {
		s.lastID = s.lastID%0xffff + 1
		if s.find(s.lastID) < 0 {
			return s.lastID
		}
	}
}

func (s *session) find(id uint16) int {
	for i, f := range s.inflight {
		if f.d.id == id {
			return i
		}
	}
	return -1
}

// acknowledged handles PUBACK, PUBREC and PUBCOMP.
func (s *session) acknowledged(ack mqtt.AckPacket) *mqtt.Violation {
	id, typ, refused := ack.ID, ack.Type, ack.Code.Failed()
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.find(id)
	if i < 0 {
		// The client remembers what the broker does not, as after a restart, and has to
		// be told that it may forget. [MQTT-4.3.3-13]
		if typ == mqtt.Pubrec && !refused && s.conn != nil {
			s.conn.reply(pubrel(id))
		}
		return nil
	}
	f := s.inflight[i]
	switch {
	case (typ == mqtt.Puback) != (f.d.qos == 1), typ == mqtt.Pubcomp && !f.released:
		return &mqtt.Violation{Code: mqtt.ProtocolError, Reason: "acknowledgement of another kind than the message needs [MQTT-4.3.3-1]"}
	case typ == mqtt.Pubrec && !refused: // [MQTT-4.3.3-4]
		f.released = true
		if s.conn != nil {
			s.conn.reply(pubrel(id))
		}
		return nil
	}
	s.inflightBytes -= f.m.size()
	s.drop(f)
	s.inflight = append(s.inflight[:i], s.inflight[i+1:]...)
	s.pump()
	return nil
}

func pubrel(id uint16) []byte { return mqtt.AckPacket{Type: mqtt.Pubrel, ID: id}.Encode(3) }

// resume gives the session a connection: what was on its way is sent again in its
// order [MQTT-4.4.0-1], [MQTT-4.6.0-1], then what waited. Rights may have changed.
func (s *session) resume(c *conn, t terms) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn, s.terms = c, t
	old := s.inflight
	s.inflight, s.inflightBytes = make([]*inflight, 0, len(old)), 0
	for _, f := range old {
		f.d.version, f.d.dup = t.version, true
		switch {
		case f.released:
			c.reply(pubrel(f.d.id))
		case !s.b.rights.allowed(t.who, access.Receive, f.m.topic), f.m.expired(time.Now()), !s.put(f):
			s.drop(f)
			continue
		}
		s.inflight = append(s.inflight, f)
		s.inflightBytes += f.m.size()
	}
	s.forget(func(f *inflight) bool { return !s.b.rights.allowed(t.who, access.Receive, f.m.topic) })
	s.pump()
}

// receiveMaximum is how many messages at QoS 2 a client may have open. [MQTT-3.3.4-7]
const receiveMaximum = 1024

// hold notes the identifier of a QoS 2 message from the client. first: it was not open;
// room: there was room for it.
func (s *session) hold(id uint16) (first, room bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, open := s.held[id]; open {
		return false, true
	}
	if len(s.held) >= receiveMaximum {
		return false, false
	}
	if s.held == nil {
		s.held = make(map[uint16]struct{})
	}
	s.held[id] = struct{}{}
	return true, true
}

// release handles PUBREL. What the broker does not know is as good as released.
// [MQTT-4.3.3-12]
func (s *session) release(id uint16) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.held, id)
}
