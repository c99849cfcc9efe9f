package sendqueue

import (
	"errors"
	"time"
)

var errFull = errors.New("too much waits to be sent")

// next takes out the first packet. The caller holds mu.
func (s *Sender) next() (Packet, bool) {
	p, ok := s.queue.next()
	if ok && p.Topic == "" {
		s.noteRoom()
	}
	return p, ok
}

func (s *Sender) begin() {
	s.busy = true
	s.writers.Add(1)
}

// frameHead gives what must precede a packet on the line.
func (s *Sender) frameHead(p *Packet) []byte {
	if s.line.AppendHead == nil || p.Framed {
		return nil
	}
	return s.line.AppendHead(s.head[:0], p.size())
}

// direct tries to write at once, in the caller's goroutine; what the socket does not
// take is left to a goroutine. The caller has begun.
func (s *Sender) direct(p Packet) bool {
	parts := [3][]byte{s.frameHead(&p), p.Head, p.body()}
	n, err := s.socket.write(parts)
	if err != nil {
		s.fail(err)
		s.finish()
		return false
	}
	switch size := len(parts[0]) + p.size(); n {
	case size:
		s.sent(&p, size)
		s.finish()
	case 0:
		p.keep()
		s.mu.Lock()
		s.queue.putBack(p, s.closed)
		s.mu.Unlock()
		go s.drain() // ends when nothing waits or the connection fails; Wait waits
	default:
		p.keep()
		parts[1] = p.Head // keep may have copied it
		s.partial, s.holding, s.holdingSize = rest(parts, n), p, size
		go s.drain() // ends when nothing waits or the connection fails; Wait waits
	}
	return true
}

// finish gives up the line. What came meanwhile goes to a goroutine.
func (s *Sender) finish() {
	s.mu.Lock()
	if !s.queue.empty() {
		s.mu.Unlock()
		go s.drain() // ends when nothing waits or the connection fails; Wait waits
		return
	}
	s.busy = false
	if s.closed {
		s.hangUp()
	} else if s.armed { // a deadline left behind would fail the next try
		s.armed = false
		_ = s.line.SetWriteDeadline(time.Time{})
	}
	s.mu.Unlock()
	s.writers.Done()
}

// drain writes until nothing waits: the rest of a packet first, then the queue.
func (s *Sender) drain() {
	for {
		if len(s.partial) > 0 {
			err := s.writeAll(s.partial...)
			p := s.holding
			s.partial, s.holding = nil, Packet{}
			if err != nil {
				p.Payload.Release()
				s.fail(err)
				break
			}
			s.sent(&p, s.holdingSize)
			p.Payload.Release()
		}
		s.mu.Lock()
		p, ok := s.next()
		s.mu.Unlock()
		if !ok {
			break
		}
		if err := s.write(p); err != nil {
			s.fail(err)
			break
		}
	}
	s.finish()
}

// write writes one packet, or as much as goes, and releases its payload.
func (s *Sender) write(p Packet) error {
	parts := [3][]byte{s.frameHead(&p), p.Head, p.body()}
	size := len(parts[0]) + p.size()
	if s.socket == nil {
		err := s.writeBlocking(parts)
		if err == nil {
			s.sent(&p, size)
		}
		p.Payload.Release()
		return err
	}
	s.arm()
	n, err := s.socket.write(parts)
	switch {
	case err != nil:
		p.Payload.Release()
		return err
	case n == size:
		s.sent(&p, size)
		p.Payload.Release()
		return nil
	case n > 0:
		s.partial, s.holding, s.holdingSize = rest(parts, n), p, size
		return nil
	}
	s.mu.Lock()
	s.queue.putBack(p, s.closed)
	s.mu.Unlock()
	// Which picture goes next is chosen only when the socket takes bytes again.
	return s.socket.ready()
}

// writeBlocking writes to a line that knows no gathering: the first write takes the
// heads and as much payload as fits in one TLS record, so that a picture costs no
// extra record for its head.
func (s *Sender) writeBlocking(parts [3][]byte) error {
	const record = 16 << 10
	if len(parts[0])+len(parts[2]) == 0 {
		return s.writeAll(parts[1])
	}
	head := len(parts[0]) + len(parts[1])
	k := min(max(record-head, 0), len(parts[2]))
	space := s.line.Records.get()
	defer s.line.Records.put(space)
	first := append(append(append((*space)[:0], parts[0]...), parts[1]...), parts[2][:k]...)
	*space = first
	return s.writeAll(first, parts[2][k:])
}

// writeAll writes in pieces, each of which has Timeout: a line may be slow, but it must
// move.
func (s *Sender) writeAll(bufs ...[]byte) error {
	for _, b := range bufs {
		for len(b) > 0 {
			piece := b[:min(len(b), UnsentBytes)]
			s.arm()
			write := s.line.Write
			if s.gather != nil {
				write = s.writeBatch
			}
			if _, err := write(piece); err != nil {
				return err
			}
			b = b[len(piece):]
		}
	}
	return nil
}

// arm sets the deadline of the next blocking write.
func (s *Sender) arm() {
	s.mu.Lock()
	defer s.mu.Unlock()
	by := s.flushBy
	s.armed = true
	if !s.closed {
		by = time.Now().Add(s.line.Timeout)
	}
	_ = s.line.SetWriteDeadline(by)
}

func (s *Sender) sent(p *Packet, size int) {
	s.events.Sent(p.Topic != "", size)
	if p.Counter != nil {
		p.Counter.Sent(size)
	}
}

// fail ends the connection because it accepts nothing; nothing is written after that.
func (s *Sender) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.events.Failed(err)
		s.shut()
	}
	for p, ok := s.next(); ok; p, ok = s.next() {
		p.Payload.Release()
	}
	s.hangUp()
}

// hangUp closes the connection, once. The caller holds mu.
func (s *Sender) hangUp() {
	if !s.hungUp {
		s.hungUp = true
		s.events.HangUp()
	}
}

// rest gives what remains of parts after n bytes.
func rest(parts [3][]byte, n int) [][]byte {
	out := make([][]byte, 0, len(parts))
	for _, p := range parts {
		if n >= len(p) {
			n -= len(p)
			continue
		}
		out = append(out, p[n:])
		n = 0
	}
	return out
}
