package mqttclient

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"time"

	"camqtt/internal/rawio"
)

// pulse is a connection on which a write may take as long as it needs while bytes
// leave, and fails when none has for a while. A picture takes half a minute on a
// bad uplink: a limit for the whole of it would end the connection over every one,
// a limit as long as that would keep a dead line up.
type pulse struct {
	net.Conn
	limit time.Duration // without a byte leaving
	piece int           // most bytes of one write below; 0 is any number

	one   chan struct{} // held by a write: a packet is one, whatever it takes below
	until atomic.Int64  // the caller's own deadline, Unix nanoseconds; 0 is none
}

func newPulse(conn net.Conn, limit time.Duration, piece int) *pulse {
	return &pulse{Conn: conn, limit: limit, piece: piece, one: make(chan struct{}, 1)}
}

// looks is how often within the limit a write is looked at.
const looks = 10

// Write returns when all of p has left, or an error that is a timeout when none of
// it did within the limit.
func (p *pulse) Write(b []byte) (int, error) {
	p.one <- struct{}{}
	defer func() { <-p.one }()
	return p.write(b)
}

// begin writes what the kernel takes of a packet at once. Where finish is not nil it
// writes the rest, as Write does; nothing else is written before that.
func (p *pulse) begin(packet [][]byte) (finish func() error, err error) {
	select {
	case p.one <- struct{}{}:
	default:
		return func() error {
			p.one <- struct{}{}
			return p.finish(packet)
		}, nil
	}
	n, err := rawio.Write(p.Conn, packet)
	if rest := behind(packet, n); err == nil && len(rest) > 0 {
		return func() error { return p.finish(rest) }, nil
	}
	<-p.one
	return nil, err
}

// behind returns what follows the first n bytes of some pieces.
func behind(pieces [][]byte, n int) (rest [][]byte) {
	for _, b := range pieces {
		taken := min(n, len(b))
		if n -= taken; taken < len(b) {
			rest = append(rest, b[taken:])
		}
	}
	return rest
}

// finish writes the rest of a packet and lets others write.
func (p *pulse) finish(rest [][]byte) error {
	defer func() { <-p.one }()
	for _, b := range rest {
		if _, err := p.write(b); err != nil {
			return err
		}
	}
	return nil
}

func (p *pulse) write(b []byte) (int, error) {
	sent, moved := 0, time.Now()
	for sent < len(b) {
		rest := b[sent:]
		if p.piece > 0 {
			rest = rest[:min(p.piece, len(rest))]
		}
		n, err := p.some(rest)
		now := time.Now()
		sent += n
		if n > 0 {
			moved = now
		}
		switch {
		case err == nil:
		case errors.Is(err, os.ErrDeadlineExceeded) && now.Sub(moved) >= p.limit:
			_ = p.Conn.Close() // TLS would try for five more seconds to say goodbye
			return sent, err
		case !errors.Is(err, os.ErrDeadlineExceeded), p.over(now), p.piece > 0:
			return sent, err
		}
	}
	return sent, nil
}

// some writes until it is time to look, or the caller's deadline.
func (p *pulse) some(b []byte) (int, error) {
	wait := p.limit / looks
	if p.piece > 0 {
		wait = p.limit // what was written in part cannot be continued
	}
	by := time.Now().Add(wait)
	if own := p.until.Load(); own != 0 && own < by.UnixNano() {
		by = time.Unix(0, own)
	}
	_ = p.Conn.SetWriteDeadline(by) // a connection without deadlines ends when it is closed
	if own := p.until.Load(); own != 0 && own < by.UnixNano() {
		_ = p.Conn.SetWriteDeadline(time.Unix(0, own)) // set meanwhile
	}
	return p.Conn.Write(b)
}

// over reports whether the caller's own deadline has passed.
func (p *pulse) over(now time.Time) bool {
	own := p.until.Load()
	return own != 0 && own <= now.UnixNano()
}

// SetWriteDeadline bounds writes in addition to the limit.
func (p *pulse) SetWriteDeadline(t time.Time) error {
	if t.IsZero() {
		p.until.Store(0)
		return nil // the next write sets its own
	}
	p.until.Store(t.UnixNano())
	return p.Conn.SetWriteDeadline(t)
}

// SetDeadline bounds reads, and writes in addition to the limit.
func (p *pulse) SetDeadline(t time.Time) error {
	return errors.Join(p.SetReadDeadline(t), p.SetWriteDeadline(t))
}

// NetConn returns the connection below.
func (p *pulse) NetConn() net.Conn { return p.Conn }
