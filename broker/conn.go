package broker

import (
	"crypto/tls"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"camqtt/internal/access"
)

// flushTime is how long a connection that is being closed may take to write the
// ordinary packets already handed to it, such as a DISCONNECT.
const flushTime = 250 * time.Millisecond

// conn is the net.Conn that the engine gets for every client. It follows the packet
// boundaries of both directions, so a picture can be taken off the inbound stream
// and slipped between two outbound packets. No method blocks on the client but Read.
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

	// Set while the engine handles CONNECT and constant from then on.
	who        access.Principal
	account    string // by which clients are told apart where they share fairly
	purse      *purse // of its account; nil before CONNECT
	vouched    string // name in the client's verified TLS certificate; "" for none
	id         string
	counted    connAccount // as what it counts while it has a session
	version    byte
	client     *mqtt.Client
	terms      terms
	session    *session
	commands   *commandLine // nil: commands are not slowed
	connecting atomic.Bool  // CONNECT has come
	lingers    atomic.Bool  // it is read on after its end, see linger
	// Read by publishers once the session is established.
	established atomic.Bool

	// Used by the connection's reader only.
	atDoor   bool          // holds Broker.door
	verdicts []byte        // reason codes that replace the engine's in the next SUBACK or UNSUBACK
	asked    []retainedAsk // accepted filters of the SUBSCRIBE being answered
	last     *will
	imposed  uint16         // seconds of keepalive in the place of the client's own; 0: its own
	aliases  map[int]string // topic aliases

	kicked atomic.Pointer[packets.Code] // why the broker ended the connection

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

// Read gives the engine nothing: packets are read by run.
func (c *conn) Read([]byte) (int, error) { return 0, io.EOF }

// Write takes one whole packet from the engine.
func (c *conn) Write(p []byte) (int, error) {
	n := len(p)
	if n == 0 {
		return 0, nil
	}
	typ := p[0] >> 4
	// MQTT 3.1.1 knows no DISCONNECT from a server. [MQTT-3.14.0-1]
	if typ == packets.Disconnect && c.version < 5 {
		return n, nil
	}
	p = c.shorten(typ, p)
	rule := needed
	if typ == packets.Publish && p[0]&6 == 0 {
		rule = droppable
	}
	if !c.push(item{head: p, borrowed: true}, rule) && rule == needed {
		return 0, net.ErrClosed
	}
	return n, nil
}

// shorten gives a packet the form in which MQTT 5 has the reason code that the engine
// leaves out or surrounds with empty properties.
func (c *conn) shorten(typ byte, p []byte) []byte {
	switch {
	case c.version < 5:
	case typ == packets.Disconnect && len(p) == 4 && p[3] == 0:
		return []byte{p[0], 1, p[2]}
	}
	return p
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
func (c *conn) kick(why packets.Code) {
	c.kicked.CompareAndSwap(nil, &why)
	if c.established.Load() {
		c.explains(why)
	}
	if c.established.Load() && c.version == 5 {
		p := []byte{packets.Disconnect << 4, 1, why.Code}
		c.push(item{head: p}, needed)
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
	c.kick(packets.ErrSessionTakenOver)
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

// LocalAddr is the address of this end.
func (c *conn) LocalAddr() net.Addr { return c.raw.LocalAddr() }

// RemoteAddr is the address of the client.
func (c *conn) RemoteAddr() net.Addr {
	if a := c.raw.RemoteAddr(); a != nil {
		return a
	}
	return nowhere{}
}

// The engine sets one deadline for both directions and computes it in 16 bits. Ours
// are kept by inbound and by the writer.

// SetDeadline does nothing.
func (c *conn) SetDeadline(time.Time) error { return nil }

// SetReadDeadline does nothing.
func (c *conn) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing.
func (c *conn) SetWriteDeadline(time.Time) error { return nil }

// nowhere is the address of a connection that has none.
type nowhere struct{}

func (nowhere) Network() string { return "none" }
func (nowhere) String() string  { return "none" }
