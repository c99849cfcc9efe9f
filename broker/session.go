package broker

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"camqtt/internal/access"
)

// terms are what one CONNECT said of the client behind a session.
type terms struct {
	who     access.Principal
	version byte
	max     int // largest packet the client takes; 0 any. [MQTT-3.1.2-24]
	window  int // its Receive Maximum. [MQTT-3.1.2.11.3]
	expiry  time.Duration
	asked   uint32 // seconds of expiry that an MQTT 5 client wanted
}

// session is what the broker keeps for one client identifier. Messages at QoS 1 and
// 2 go through it: a window of them is on its way, in order, the rest waits.
type session struct {
	id    string
	b     *Broker
	purse *purse // of the account that began it

	// Guarded by Broker.door.
	owner *conn     // connection that has or gets the session; nil while the client is away
	since time.Time // when the client went away
	who   access.Principal

	mu      sync.Mutex
	conn    *conn // where messages go; nil while the client is away or just arriving
	terms   terms
	flights []*flight
	waiting fairQueue
	flying  int // size of flights
	// Commands are handed on at the pace that a camera can follow, so that they wait here,
	// where accounts take turns.
	commands *rate.Limiter
	later    bool // pump will be called when the next command may go
	lastID   uint16
	held     map[uint16]struct{} // QoS 2 messages from the client whose PUBREL has not come
	ended    bool
}

// peer gives the connection to use, nil if there is none, and its terms.
func (s *session) peer() (*conn, terms) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil || s.conn.send.Closed() {
		return nil, s.terms
	}
	return s.conn, s.terms
}

// send hands over a message at QoS 1 or 2, or a command: to the connection if the window
// allows it, else it waits.
func (s *session) send(m *message, d delivery) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended || s.conn == nil && (s.terms.expiry == 0 || d.qos == 0) {
		return
	}
	if !s.makeRoom(m) {
		s.b.count.dropped.Add(1)
		s.b.log.trouble("messages for a client are dropped, too many wait", "client", s.id)
		return
	}
	s.line(m, d)
}

// line puts a message in line. The caller holds mu.
func (s *session) line(m *message, d delivery) {
	m.payload.Hold()
	s.waiting.push(&flight{m: m, d: d})
	s.purse.wait(m.size())
	s.pump()
}

// makeRoom reports whether a message may wait. Where too much waits already, what came
// last of the account that uses most gives way to what others publish. The caller holds
// mu.
func (s *session) makeRoom(m *message) bool {
	l := &s.b.limits
	for s.waiting.n >= l.Queue || s.waiting.n > 0 && s.waiting.bytes+m.size() > l.QueueBytes || s.spent(m.size()) {
		if m.command && s.waiting.takesCommand(m.account) {
			return true // its sender is held back before it comes to more
		}
		f := s.waiting.evict(m, l.Queue, l.QueueBytes)
		if f == nil {
			return false
		}
		s.b.count.dropped.Add(1)
		s.drop(f)
	}
	return true
}

// follow lets a QoS 0 message wait behind those at QoS 1 and 2 that wait already,
// replacing one of its topic. false: none waits.
func (s *session) follow(m *message, d delivery) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting.n == 0 || s.conn == nil {
		return false
	}
	s.forget(func(f *flight) bool { return f.d.qos == 0 && f.m.topic == m.topic })
	if s.waiting.n >= s.b.limits.Queue {
		s.b.count.dropped.Add(1)
		return true
	}
	s.line(m, d)
	return true
}

// takesCommand reports whether another command of an account may be handed over. Only
// cameras hold up commands: of what else receives them, such as a log of all topics, none
// keeps them from a camera.
func (s *session) takesCommand(account string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conn == nil || !s.conn.counted.camera || s.waiting.takesCommand(account) && !s.conn.send.Full()
}

// drop lets go of a message that is in neither list any more. The caller holds mu.
func (s *session) drop(f *flight) {
	s.purse.wait(-f.m.size())
	f.m.payload.Release()
}

// forget lets go of waiting messages. The caller holds mu.
func (s *session) forget(which func(*flight) bool) { s.waiting.remove(which, s.drop) }

// crowded reports whether another message would have to wait.
func (s *session) crowded() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waiting.n > 0
}

// pump sends what the window and the pace of commands allow. The caller holds mu.
func (s *session) pump() {
	now := time.Now()
	for s.conn != nil {
		f := s.waiting.pop(func(f *flight) bool {
			return (f.d.qos == 0 || !s.windowFull()) && (!f.m.command || s.paced(now))
		})
		if f == nil {
			return // the next acknowledgement or the pace pumps again
		}
		if f.m.expired(now) {
			s.drop(f)
			continue
		}
		if f.d.qos == 0 {
			s.b.count.messagesOut.Add(1)
			s.conn.pushMessage(f.m, f.m.encode(f.d))
			s.drop(f)
			continue
		}
		f.d.id, f.d.version = s.newID(), s.terms.version
		if !s.put(f) {
			s.drop(f)
			continue
		}
		s.flights = append(s.flights, f)
		s.flying += f.m.size()
	}
}

// paced reports whether a command may go now, and counts it. Else pump is called when
// the next one may. Only cameras have a pace. The caller holds mu.
func (s *session) paced(now time.Time) bool {
	if !s.conn.counted.camera {
		return true
	}
	if s.commands == nil {
		s.commands = rate.NewLimiter(cameraRate, cameraBurst)
	}
	if s.commands.AllowN(now, 1) {
		return true
	}
	if !s.later {
		s.later = true
		time.AfterFunc(time.Second/cameraRate, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.later = false
			s.pump()
		})
	}
	return false
}

// park takes the connection away.
func (s *session) park() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn = nil
	s.forget(func(f *flight) bool { return f.d.qos == 0 })
}

// end lets go of everything.
func (s *session) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn, s.ended = nil, true
	for _, f := range s.flights {
		s.drop(f)
	}
	s.forget(func(*flight) bool { return true })
	s.flights, s.flying = nil, 0
}

// sessions are all of them by client identifier.
type sessions struct {
	mu sync.RWMutex
	m  map[string]*session
}

func (ss *sessions) get(id string) *session {
	ss.mu.RLock()
	defer ss.mu.RUnlock()
	return ss.m[id]
}

func (ss *sessions) all() []*session {
	ss.mu.RLock()
	defer ss.mu.RUnlock()
	out := make([]*session, 0, len(ss.m))
	for _, s := range ss.m {
		out = append(out, s)
	}
	return out
}

// enter gives a client its session: the connection that has it now is ended first,
// and waited for, so that its will and its subscriptions cannot come after the
// newcomer's. It leaves door locked until stepIn or the connection ends, and says
// whether there was a session to go on with. On an error door is unlocked: the identifier
// belongs to another account, which then notices nothing, or there is no room.
func (b *Broker) enter(c *conn, clean bool) (present bool, err error) {
	c.counted = c.connAccount()
	for {
		b.door.Lock()
		old := b.sessions.get(c.id)
		if old != nil && !c.who.Owns(old.who) {
			b.door.Unlock()
			return false, errTaken
		}
		if old == nil || old.owner == nil || old.owner == c {
			if err := b.taken.join(c.counted, b.limits.Connections); err != nil {
				b.door.Unlock()
				return false, err
			}
			break
		}
		rival := old.owner
		b.door.Unlock()
		rival.retire()
		<-rival.over
	}
	c.atDoor = true
	old := b.sessions.get(c.id)
	if old != nil && clean { // [MQTT-3.1.2-4]
		b.remove(old)
		b.wills.now(c.id)
		old = nil
	}
	if present = old != nil; !present {
		old = &session{id: c.id, b: b, purse: c.purse}
		b.sessions.put(old)
	}
	b.wills.cancel(c.id) // [MQTT-3.1.3-9]
	if present {
		b.away--
	}
	old.owner, old.who, c.session = c, c.who, old
	if b.taken.nearly(c.counted) {
		b.log.trouble("account uses nearly all of its connections", "user", c.who.Name, "open", b.taken.byAccount[c.counted.key], "most", c.counted.most)
	}
	return present, nil
}

// stepIn lets the next one to the door.
func (b *Broker) stepIn(c *conn) {
	if c.atDoor {
		c.atDoor = false
		b.door.Unlock()
	}
}

// leave ends what a connection had: its session if nothing shall remain of it, and
// its place at the door if it ended there.
func (b *Broker) leave(c *conn) {
	b.stepIn(c)
	s := c.session
	if s == nil {
		return
	}
	s.park()
	b.door.Lock()
	defer b.door.Unlock()
	b.taken.leave(c.counted)
	defer b.fans.forget(b.subs.filters(c.id))
	if s.owner == c {
		s.owner, s.since = nil, time.Now()
		b.away++
		if c.terms.expiry == 0 || b.lapsed(s.who, s.id) {
			b.remove(s)
		}
		b.makeRoom()
	}
}

// remove ends a session with its subscriptions. The caller holds door.
func (b *Broker) remove(s *session) {
	if s.owner == nil {
		b.away--
	}
	s.end()
	filters := b.subs.removeAll(s.id)
	b.sessions.mu.Lock()
	if b.sessions.m[s.id] == s {
		delete(b.sessions.m, s.id)
	}
	b.sessions.mu.Unlock()
	b.fans.forget(filters)
}

// makeRoom ends a session when too many are without a client: of the account that has
// most of them, so that none pushes out another's, the one that has been without for
// longest. One account may have a part of them only. The caller holds door.
func (b *Broker) makeRoom() {
	most, part := b.limits.Sessions, max(b.limits.Sessions/accountPart, min(b.limits.Sessions, fewSessions))
	if b.away <= part {
		return
	}
	all, count, greedy := b.sessions.all(), map[string]int{}, ""
	for _, s := range all {
		if s.owner != nil || s.purse == nil && b.away <= most {
			continue
		}
		if count[s.who.Name]++; count[s.who.Name] > count[greedy] {
			greedy = s.who.Name
		}
	}
	if b.away <= most && count[greedy] <= part {
		return
	}
	var oldest *session
	for _, s := range all {
		if s.owner == nil && s.who.Name == greedy && (oldest == nil || s.since.Before(oldest.since)) {
			oldest = s
		}
	}
	if oldest != nil {
		b.remove(oldest)
	}
}

// expire ends the sessions whose time is over. [MQTT-3.1.2-23]
func (b *Broker) expire(now time.Time) {
	b.door.Lock()
	defer b.door.Unlock()
	for _, s := range b.sessions.all() {
		if s.owner != nil {
			continue
		}
		s.mu.Lock()
		over := now.Sub(s.since) >= s.terms.expiry
		s.mu.Unlock()
		if over {
			b.remove(s)
		}
	}
}
