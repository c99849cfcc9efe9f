package broker

import (
	"crypto/tls"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"camqtt/internal/access"
	"camqtt/internal/mqtt"
)

// flushTime is how long a connection that is being closed may take to write the
// ordinary packets already handed to it, such as a DISCONNECT.
const flushTime = 250 * time.Millisecond

// conn is one client's connection. Only its reader waits for the client.
type conn struct {
	b      *Broker
	raw    net.Conn       // where bytes come from, and what is closed
	line   net.Conn       // where bytes go; raw itself unless raw is Framed
	framed Framed         // nil: packets go out bare
	try    *attempt       // nil: the line cannot be written without blocking
	gather *gatheringConn // nil: the line has none beneath
	in     inbound
	out    outbound
	dump   dump
	over   chan struct{} // closed when the session has let go of the connection
	opened time.Time

	// Set while CONNECT is handled and constant from then on.
	who        access.Principal
	account    string // by which clients are told apart where they share fairly
	purse      *purse // of its account; nil before CONNECT
	vouched    string // name in the client's verified TLS certificate; "" for none
	id         string
	counted    connAccount // as what it counts while it has a session
	version    byte
	terms      terms
	session    *session
	commands   *commandLine // nil: commands are not slowed
	connecting atomic.Bool  // CONNECT has come
	lingers    atomic.Bool  // it is read on after its end, see linger
	// Read by publishers once the session is established.
	established atomic.Bool

	// Used by the connection's reader only.
	atDoor  bool // holds Broker.door
	last    *will
	imposed uint16            // seconds of keepalive in the place of the client's own; 0: its own
	aliases map[uint16]string // topic aliases

	kicked atomic.Pointer[mqtt.Code] // why the broker ended the connection

	delivered, replaced, dropped, bytesOut atomic.Int64
}

// outbound is the sending half of a conn: what waits, and who is writing.
type outbound struct {
	mu      sync.Mutex
	busy    bool           // somebody is writing; the queue is empty otherwise
	writers sync.WaitGroup // counts busy
	closed  bool
	hungUp  bool      // raw is closed
	armed   bool      // a write deadline is set
	flushBy time.Time // when closed: how long what waits may still be written

	queue    []item
	first    int            // queue[first:] waits
	removed  int            // items removed from the front of queue for good
	pictures map[string]int // topic -> removed + index in queue
	bytes    int            // ordinary bytes waiting
	shares   shares         // of those, what each account has published
	room     chan struct{}  // closed when ordinary bytes were taken or the connection closed

	// Owned by whoever set busy.
	head        [16]byte // framing of the packet being written
	partial     [][]byte // rest of a packet that went out in part
	holding     item     // that packet
	holdingSize int      // and its size, framing included
}

func newConn(b *Broker, raw net.Conn) *conn {
	c := &conn{b: b, raw: raw, line: raw, over: make(chan struct{}), opened: time.Now()}
	if f, ok := raw.(Framed); ok {
		c.framed, c.line = f, f.Line()
	}
	switch s, encrypted := socket(c.line); {
	case s != nil && !encrypted:
		c.try = newAttempt(s)
	case s != nil:
		c.gather = gatherer(c.line)
		newAttempt(s) // encrypted bytes cannot be tried, but the kernel's mark counts here too
	}
	if c.try == nil { // a TLS handshake writes before anything of ours does
		_ = c.line.SetWriteDeadline(time.Now().Add(b.limits.ConnectTime))
	}
	_ = raw.SetReadDeadline(time.Now().Add(b.limits.ConnectTime))
	if c.framed != nil {
		c.framed.Bind(c.control)
	}
	return c
}

// control takes a whole frame of the protocol beneath.
func (c *conn) control(frame []byte) error {
	if !c.push(item{head: frame, borrowed: true, bare: true}, needed) {
		return net.ErrClosed
	}
	return nil
}

// Close ends the connection without waiting: pictures are let go at once, ordinary
// packets get flushTime.
func (c *conn) Close() error {
	o := &c.out
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return nil
	}
	c.shut()
	if !o.busy {
		c.hangUp()
		return nil
	}
	_ = c.raw.SetReadDeadline(time.Unix(1, 0))
	_ = c.line.SetWriteDeadline(o.flushBy)
	return nil
}

// shut marks the connection closed. The caller holds out.mu.
func (c *conn) shut() {
	o := &c.out
	o.closed, o.flushBy = true, time.Now().Add(flushTime)
	c.dropPictures()
	if o.room != nil {
		close(o.room)
		o.room = nil
	}
}

func (c *conn) closed() bool {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	return c.out.closed
}

// readBy sets the read deadline unless the connection is being closed, which has
// set one of its own.
func (c *conn) readBy(t time.Time) {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	if !c.out.closed {
		_ = c.raw.SetReadDeadline(t)
	}
}

// kick ends the connection with a reason, which MQTT 5 clients are told.
func (c *conn) kick(why mqtt.Code) {
	c.kicked.CompareAndSwap(nil, &why)
	if c.established.Load() {
		c.explains(why)
	}
	if c.established.Load() && c.version == 5 {
		c.push(item{head: mqtt.EncodeDisconnect(why)}, needed)
	}
	_ = c.Close()
}

// retire ends a connection whose client has opened another one. What the client sent
// before counts, above all a DISCONNECT, after which its will must not be published;
// so, if there is something to read, the reader gets a moment for it.
func (c *conn) retire() {
	if s, _ := socket(c.line); s != nil && unread(s) {
		c.listen()
	}
	c.kick(mqtt.SessionTakenOver)
}

// listen waits for the connection's end, for flushTime at most. It waits in steps: a
// machine that stands still for a while takes one of them, not all, so that the reader
// gets its moment afterwards.
func (c *conn) listen() {
	const steps = 10
	for range steps {
		select {
		case <-c.over:
			return
		case <-time.After(flushTime / steps):
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
	if c.try != nil && c.framed == nil {
		return c.try.read(p)
	}
	return c.raw.Read(p)
}

// RemoteAddr is the address of the client.
func (c *conn) RemoteAddr() net.Addr {
	if a := c.raw.RemoteAddr(); a != nil {
		return a
	}
	return nowhere{}
}

// nowhere is the address of a connection that has none.
type nowhere struct{}

func (nowhere) Network() string { return "none" }
func (nowhere) String() string  { return "none" }
