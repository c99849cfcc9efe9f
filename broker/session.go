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
	quota *accountQuota // of the account that began it

	// Guarded by Broker.sessions.sessionMu.
	owner *conn     // connection that has or gets the session; nil while the client is away
	since time.Time // when the client went away
	who   access.Principal

	mu            sync.Mutex
	conn          *conn // where messages go; nil while the client is away or just arriving
	terms         terms
	inflight      []*inflight
	waiting       fairQueue
	inflightBytes int // size of flights
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
		s.b.log.warn("messages for a client are dropped, too many wait", "client", s.id)
		return
	}
	s.enqueue(m, d)
}

// enqueue lets a message wait for its turn. The caller holds mu.
func (s *session) enqueue(m *message, d delivery) {
	m.payload.Hold()
	s.waiting.push(&inflight{m: m, d: d})
	s.quota.wait(m.size())
	s.pump()
}

// makeRoom reports whether a message may wait. Where too much waits already, what came
// last of the account that uses most gives way to what others publish. The caller holds
// mu.
func (s *session) makeRoom(m *message) bool {
	l := &s.b.limits
	for s.waiting.n >= l.Queue || s.waiting.n > 0 && s.waiting.bytes+m.size() > l.QueueBytes || s.overQuota(m.size()) {
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

// queueBehind lets a QoS 0 message wait behind those at QoS 1 and 2 that wait already,
// replacing one of its topic. false: none waits.
func (s *session) queueBehind(m *message, d delivery) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting.n == 0 || s.conn == nil {
		return false
	}
	s.forget(func(f *inflight) bool { return f.d.qos == 0 && f.m.topic == m.topic })
	if s.waiting.n >= s.b.limits.Queue {
		s.b.count.dropped.Add(1)
		return true
	}
	s.enqueue(m, d)
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
func (s *session) drop(f *inflight) {
	s.quota.wait(-f.m.size())
	f.m.payload.Release()
}

// forget lets go of waiting messages. The caller holds mu.
func (s *session) forget(which func(*inflight) bool) { s.waiting.remove(which, s.drop) }

// hasWaiting reports whether another message would have to wait.
func (s *session) hasWaiting() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waiting.n > 0
}

// pump sends what the window and the pace of commands allow. The caller holds mu.
func (s *session) pump() {
	now := time.Now()
	for s.conn != nil {
		f := s.waiting.pop(func(f *inflight) bool {
			return (f.d.qos == 0 || !s.windowFull()) && (!f.m.command || s.mayTakeCommand(now))
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
			pushMessage(s.conn, f.m, f.m.encode(f.d))
			s.drop(f)
			continue
		}
		f.d.id, f.d.version = s.newID(), s.terms.version
		if !s.put(f) {
			s.drop(f)
			continue
		}
		s.inflight = append(s.inflight, f)
		s.inflightBytes += f.m.size()
	}
}

// mayTakeCommand reports whether a command may go now, and counts it. Else pump is called when
// the next one may. Only cameras have a pace. The caller holds mu.
func (s *session) mayTakeCommand(now time.Time) bool {
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

// detach takes the connection away.
func (s *session) detach() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn = nil
	s.forget(func(f *inflight) bool { return f.d.qos == 0 })
}

// end lets go of everything.
func (s *session) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn, s.ended = nil, true
	for _, f := range s.inflight {
		s.drop(f)
	}
	s.forget(func(*inflight) bool { return true })
	s.inflight, s.inflightBytes = nil, 0
}
