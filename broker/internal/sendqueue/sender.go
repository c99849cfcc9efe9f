package sendqueue

import (
	"net"
	"sync"
	"time"
)

// UnsentBytes is how many unsent bytes of a connection the kernel keeps, so that the
// newest picture is chosen late. Measured: a line of 250 KB/s shows pictures 0.7 s old
// with it, 12 s old without.
const UnsentBytes = 64 << 10

// flushTime is how long a connection that is being closed may take to write the ordinary
// packets already handed over, such as a DISCONNECT.
const flushTime = 250 * time.Millisecond

// Events is what a Sender reports. No method may block or call the Sender.
type Events interface {
	// Sent counts a packet that was written whole, framing included.
	Sent(picture bool, bytes int)
	// Replaced counts a picture that a newer one has replaced.
	Replaced()
	// Dropped counts a packet that found no room.
	Dropped()
	// Failed reports why the connection accepts nothing.
	Failed(err error)
	// HangUp closes the connection, once, after the last byte.
	HangUp()
}

// Line is where a Sender writes.
type Line struct {
	net.Conn
	// AppendHead appends what must precede n bytes of a packet; nil: nothing.
	AppendHead func(dst []byte, n int) []byte
	// Timeout is how long the line may take no 64 KiB.
	Timeout time.Duration
	// Records are buffers that connections share.
	Records *Records
}

// Sender writes packets to a line, in the caller's goroutine where that does not block,
// and else in one of its own. Make one with [Sender.Init]. Its methods may be called from
// any goroutine; none but WaitRoom and Wait waits for the line.
type Sender struct {
	line   Line
	events Events
	socket *Socket    // nil: the line cannot be written without blocking
	gather *batchConn // nil: the line has none beneath

	mu      sync.Mutex
	queue   queue
	busy    bool           // a goroutine writes; the queue is empty otherwise
	writers sync.WaitGroup // counts busy
	closed  bool
	hungUp  bool
	armed   bool          // a write deadline is set
	flushBy time.Time     // when closed: how long what waits may still be written
	room    chan struct{} // closed when ordinary bytes were taken or the connection closed

	// Used by the goroutine that set busy.
	head        [16]byte // framing of the packet being written
	partial     [][]byte // rest of a packet that was written in part
	holding     Packet   // that packet
	holdingSize int      // and its size, framing included
}

// Init prepares the sender of a connection. A socket of the kernel's that is not
// encrypted is written to without blocking.
func (s *Sender) Init(line Line, limits Limits, events Events) {
	s.line, s.events = line, events
	s.queue = queue{limits: limits, events: events}
	s.socket, s.gather = beneath(line.Conn)
}

// Socket gives the socket that is written to without blocking, which can also be read
// cheaply; nil: there is none.
func (s *Sender) Socket() *Socket { return s.socket }

// Push hands over one packet without blocking. The caller keeps its own hold on the
// payload. false: it was not taken.
func (s *Sender) Push(p Packet, r Rule) bool {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return false
	}
	if s.busy || s.socket == nil {
		ok := s.queue.put(p, r)
		if ok && !s.busy {
			s.begin()
			go s.drain() // ends when nothing waits or the connection fails; Wait waits
		}
		s.mu.Unlock()
		if !ok && r == Needed {
			s.fail(errFull)
		}
		return ok
	}
	s.begin()
	s.mu.Unlock()
	return s.direct(p)
}

// Close ends the connection without waiting: pictures are let go at once, ordinary
// packets get a moment. false: it was closed.
func (s *Sender) Close() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.shut()
	if !s.busy {
		s.hangUp()
		return true
	}
	_ = s.line.SetWriteDeadline(s.flushBy)
	return true
}

// shut marks the connection closed. The caller holds mu.
func (s *Sender) shut() {
	s.closed, s.flushBy = true, time.Now().Add(flushTime)
	s.queue.dropPictures()
	s.noteRoom()
}

// noteRoom wakes those that wait for room. The caller holds mu.
func (s *Sender) noteRoom() {
	if s.room != nil {
		close(s.room)
		s.room = nil
	}
}

// Closed reports whether the connection is closed for packets.
func (s *Sender) Closed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// Wait waits until what was handed over is written or given up.
func (s *Sender) Wait() { s.writers.Wait() }

// Full reports whether ordinary packets are piling up.
func (s *Sender) Full() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.queue.bytes > s.queue.limits.Bytes/2
}

// WaitRoom waits until few enough ordinary bytes wait for more to be added. A goroutine
// that serves another client must not call it. false: the connection is closed.
func (s *Sender) WaitRoom() bool {
	for {
		s.mu.Lock()
		if s.closed || s.queue.bytes <= s.queue.limits.Bytes/2 {
			open := !s.closed
			s.mu.Unlock()
			return open
		}
		if s.room == nil {
			s.room = make(chan struct{})
		}
		room := s.room
		s.mu.Unlock()
		<-room
	}
}

// Pictures gives how many pictures wait.
func (s *Sender) Pictures() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.queue.pictures)
}
