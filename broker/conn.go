package broker

import (
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"camqtt/broker/internal/sendqueue"
	"camqtt/internal/access"
	"camqtt/internal/mqtt"
)

// conn is one client's connection. Only its reader waits for the client.
type conn struct {
	b        *Broker
	raw      net.Conn // where bytes come from, and what is closed
	line     net.Conn // where bytes go; raw itself unless raw is Framed
	framed   bool
	in       packetReader
	send     sendqueue.Sender
	throttle throttle
	counts   sendStats
	read     readDeadline
	replay   retainedReplay
	handler  handler
	over     chan struct{} // closed when the session has let go of the connection
	opened   time.Time

	// Set while CONNECT is handled and constant from then on.
	who             access.Principal
	account         string        // by which clients are told apart where they share fairly
	quota           *accountQuota // of its account; nil before CONNECT
	certificateName string        // name in the client's verified TLS certificate; "" for none
	id              string
	counted         connAccount // as what it counts while it has a session
	version         byte
	terms           terms
	session         *session
	commands        *commandLine // nil: commands are not slowed
	connecting      atomic.Bool  // CONNECT has come
	lingers         atomic.Bool  // it is read on after its end, see linger
	// Read by publishers once the session is established.
	established atomic.Bool

	// Used by the connection's reader only.
	entering        bool // holds sessions.sessionMu
	last            *will
	serverKeepAlive uint16 // seconds of keepalive in the place of the client's own; 0: its own

	kicked atomic.Pointer[mqtt.Code] // why the broker ended the connection
}

func newConn(b *Broker, raw net.Conn) *conn {
	c := &conn{b: b, raw: raw, line: raw, over: make(chan struct{}), opened: time.Now()}
	c.read.conn, c.counts.c, c.replay.c, c.handler.conn = raw, c, c, c
	c.in = packetReader{receive: c.receive, deadline: &c.read, limits: &b.limits, count: &b.count, total: &b.inbound}
	line := sendqueue.Line{Conn: raw, Timeout: b.limits.WriteTimeout, Records: &b.records}
	framed, ok := raw.(Framed)
	if ok {
		c.framed, c.line = true, framed.Line()
		line.Conn, line.AppendHead = c.line, framed.AppendHead
	}
	c.send.Init(line, sendqueue.Limits{Bytes: b.limits.SendBytes, Pictures: b.limits.Pictures}, &c.counts)
	if c.send.Socket() == nil { // a TLS handshake writes before anything of ours does
		_ = c.line.SetWriteDeadline(time.Now().Add(b.limits.ConnectTime))
	}
	c.read.set(time.Now().Add(b.limits.ConnectTime))
	if ok {
		framed.Bind(c.control)
	}
	return c
}

// control sends a whole frame of the protocol beneath.
func (c *conn) control(frame []byte) error {
	if !c.send.Push(sendqueue.Packet{Head: frame, Borrowed: true, Framed: true}, sendqueue.Needed) {
		return net.ErrClosed
	}
	return nil
}

// reply sends a packet that the client cannot do without. false: it was not taken.
func (c *conn) reply(p []byte) bool {
	return c.send.Push(sendqueue.Packet{Head: p}, sendqueue.Needed)
}

// close ends the connection without waiting.
func (c *conn) close() {
	c.read.stop()
	c.send.Close()
}

// kick ends the connection with a reason, which MQTT 5 clients are told.
func (c *conn) kick(why mqtt.Code) {
	c.kicked.CompareAndSwap(nil, &why)
	if c.established.Load() {
		c.explains(why)
	}
	if c.established.Load() && c.version == 5 { // MQTT 3 knows no DISCONNECT from a server
		c.reply(mqtt.EncodeDisconnect(why))
	}
	c.close()
}

// closeForTakeover ends a connection whose client has opened another one. What the client sent
// before counts, above all a DISCONNECT, after which its will must not be published;
// so, if there is something to read, the reader gets a moment for it.
func (c *conn) closeForTakeover() {
	if s, _ := socket(c.line); s != nil && unread(s) {
		c.awaitEnd()
	}
	c.kick(mqtt.SessionTakenOver)
}

// awaitEnd waits for the connection's end, for a moment at most. It waits in steps: a
// machine that stands still for a while takes one of them, not all, so that the reader
// gets its moment afterwards.
func (c *conn) awaitEnd() {
	const steps, step = 10, 25 * time.Millisecond
	for range steps {
		select {
		case <-c.over:
			return
		case <-time.After(step):
		}
	}
}

// socket gives what is beneath a connection, if it is one of the kernel's.
func socket(c net.Conn) (s syscall.Conn, encrypted bool) {
	t, encrypted := c.(*tls.Conn)
	if encrypted {
		c = t.NetConn()
	}
	s, _ = c.(syscall.Conn)
	return s, encrypted
}

// receive reads from the line, cheaply where that can be had.
func (c *conn) receive(p []byte) (int, error) {
	if s := c.send.Socket(); s != nil && !c.framed {
		return s.Read(p)
	}
	return c.raw.Read(p)
}

// RemoteAddr is the address of the client.
func (c *conn) RemoteAddr() net.Addr {
	if a := c.raw.RemoteAddr(); a != nil {
		return a
	}
	return noAddr{}
}

// insideIDs is before the identifiers of clients that are parts of this program. No other
// client can have one, so none can keep them from connecting.
const insideIDs = "$hub/"

// inside reports whether the client is a part of this program.
func (c *conn) inside() bool { return c.RemoteAddr().Network() == "pipe" }

// run reads and handles packets until the connection ends. A goroutine's stack cannot
// become smaller than what is in use while it waits, so it waits here, where little is.
func (c *conn) run() error {
	for {
		first, hl, n, err := c.in.head()
		if err == nil {
			err = c.handler.handle(first, hl, n)
		}
		if err != nil {
			return c.broken(err)
		}
		cost := 1
		if first>>4 != mqtt.Publish {
			cost += n / throttleBytes
		}
		c.throttle.pay(c, cost)
	}
}

// broken ends a connection whose client broke the protocol. It returns err.
func (c *conn) broken(err error) error {
	var v *mqtt.Violation
	if c.established.Load() && errors.As(err, &v) {
		c.b.log.warnClient(c, "client broke the protocol, its connection is closed", "why", v.Reason)
		c.kick(v.Code)
	}
	return err
}

// closeRevoked ends a connection whose account or identifier was revoked.
func (c *conn) closeRevoked() {
	c.b.log.warnClient(c, "connection closed, its account or that of its identifier has changed", "user", c.who.Name)
	c.kick(mqtt.NotAuthorized)
}

// noAddr is the address of a connection that has none.
type noAddr struct{}

func (noAddr) Network() string { return "none" }
func (noAddr) String() string  { return "none" }

// readDeadline is the deadline of a connection's reader.
type readDeadline struct {
	conn    net.Conn
	mu      sync.Mutex
	stopped bool
}

// set sets the deadline unless the reader was stopped.
func (d *readDeadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.stopped {
		_ = d.conn.SetReadDeadline(t)
	}
}

// stop makes the reader end, once.
func (d *readDeadline) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.stopped {
		d.stopped = true
		_ = d.conn.SetReadDeadline(time.Unix(1, 0))
	}
}

// sendStats counts what a connection is sent, and ends it when the client accepts nothing.
type sendStats struct {
	c                                      *conn
	delivered, replaced, dropped, bytesOut atomic.Int64
}

// Sent counts a packet that was written.
func (s *sendStats) Sent(picture bool, bytes int) {
	count := &s.c.b.count
	s.bytesOut.Add(int64(bytes))
	count.bytesOut.Add(int64(bytes))
	if picture {
		s.delivered.Add(1)
		count.delivered.Add(1)
	}
}

// Replaced counts a picture that a newer one has replaced.
func (s *sendStats) Replaced() {
	s.replaced.Add(1)
	s.c.b.count.replaced.Add(1)
}

// Dropped counts a message that found no room.
func (s *sendStats) Dropped() {
	s.dropped.Add(1)
	s.c.b.count.dropped.Add(1)
}

// Failed logs why the connection accepts nothing.
func (s *sendStats) Failed(err error) {
	if !wentAway(err) {
		s.c.b.log.warnClient(s.c, "connection does not take what it is sent", "err", err)
	}
}

// HangUp ends the connection after its last byte.
func (s *sendStats) HangUp() {
	s.c.read.stop()
	if !s.c.halfClose() {
		_ = s.c.raw.Close()
	}
}
