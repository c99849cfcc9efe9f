package broker

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"camqtt/broker/internal/sharedbuffer"
	"camqtt/internal/mqtt"
)

var (
	errLength = errors.New("remaining length takes more than four bytes [MQTT-2.2.3]")
	errDone   = errors.New("client has said that it goes")
)

// bufferSize holds nearly every packet but pictures.
const bufferSize = 512

// inbound follows the packet boundaries of a client's stream. It is used by the
// connection's reader only.
type inbound struct {
	buf      []byte
	r, w     int           // buf[r:w] was read and not yet handled
	idle     time.Duration // how long the client may be silent; 0 for ever
	limit    bool          // a deadline is set
	by       time.Time     // the current packet must be complete by then
	busy     bool          // the last read filled buf
	taken    int           // of Broker.inbound, for the current packet
	topic    string        // last picture topic and what picture says of it
	cam      *camera
	kind     kind
	throttle throttle
}

// run reads and handles packets until the connection ends. A goroutine's stack cannot
// become smaller than what is in use while it waits, so it waits here, where little is.
func (c *conn) run() error {
	for {
		first, hl, n, err := c.in.head(c)
		if err != nil {
			return err
		}
		if err := c.handler.handle(first, hl, n); err != nil {
			return err
		}
		cost := 1
		if first>>4 != mqtt.Publish {
			cost += n / throttleBytes
		}
		c.in.throttle.pay(c, cost)
	}
}

// head waits for a packet's fixed header and checks what it says: hl is its length, n
// that of what follows.
func (in *inbound) head(c *conn) (first byte, hl, n int, err error) {
	in.giveBack(c)
	in.await(c)
	if err := in.need(c, 1); err != nil {
		return 0, 0, 0, err
	}
	in.begun(c)
	first = in.buf[in.r]
	switch joined := c.established.Load(); {
	case !joined && (first>>4 != mqtt.Connect || first == tlsRecord):
		return 0, 0, 0, in.foreign(c)
	case joined:
		if bad := mqtt.CheckFirstByte(c.version, first); bad != nil {
			return 0, 0, 0, c.violated(bad)
		}
	}
	if hl, n, err = in.header(c); err != nil {
		return 0, 0, 0, err
	}
	if err := c.checkSize(first>>4, n); err != nil {
		return 0, 0, 0, err
	}
	return first, hl, n, in.take(c, n)
}

// tlsRecord is the first byte of a TLS handshake, which as MQTT would be a CONNECT with
// wrong flags. RFC 8446 section 5.1.
const tlsRecord = 22

// foreign says what was sent in place of CONNECT.
func (in *inbound) foreign(c *conn) error {
	if in.buf[in.r] == tlsRecord {
		if err := in.need(c, 2); err != nil {
			return err
		}
	}
	got := in.buf[in.r:min(in.w, in.r+5)]
	method, _, _ := strings.Cut(string(got), " ")
	switch {
	case got[0] == tlsRecord && got[1] == 3:
		return errors.New("TLS was spoken to a plain port: use the port of broker.tls.listen, or mqtt:// for this one")
	case got[0] == tlsRecord:
		return errors.New("first byte of CONNECT is wrong [MQTT-2.1.3-1]")
	case slices.Contains([]string{"GET", "HEAD", "POST", "PUT"}, method):
		return errors.New("HTTP was spoken to an MQTT port: use the port of dashboard.listen")
	}
	return fmt.Errorf("%s in place of CONNECT [MQTT-3.1.0-1]", mqtt.TypeName(got[0]>>4))
}

// header reads the length of the next packet; hl is the length of its fixed header.
func (in *inbound) header(c *conn) (hl, n int, err error) {
	for want := 2; ; want++ {
		if err := in.need(c, want); err != nil {
			return 0, 0, err
		}
		switch hl, n = mqtt.FixedHeader(in.buf[in.r:in.w]); {
		case hl > 0:
			return hl, n, nil
		case in.w-in.r >= 5:
			return 0, 0, errLength
		}
	}
}

// checkSize refuses a packet by its announced length, before anything is allocated
// for it.
func (c *conn) checkSize(typ byte, n int) error {
	l, limit := &c.b.limits, 0
	switch {
	case !c.established.Load():
		limit = l.ConnectPacket
	case typ == mqtt.Publish:
		limit = l.Packet
	default:
		limit = l.ControlPacket
	}
	if n > limit {
		err := fmt.Sprintf("%s of %d bytes, at most %d are allowed", mqtt.TypeName(typ), n, limit)
		if !c.established.Load() {
			return errors.New(err)
		}
		return c.violated(&mqtt.Violation{Code: mqtt.PacketTooLarge, Reason: err})
	}
	return nil
}

// take reserves room for a large packet, whose sender may take a minute to deliver it.
func (in *inbound) take(c *conn, n int) error {
	if n <= 64<<10 {
		return nil
	}
	in.taken = n
	if mine := c.quota.receive(n); c.b.inbound.Add(int64(n)) > int64(c.b.limits.InboundBytes) || mine > c.b.limits.share() {
		return c.violated(&mqtt.Violation{Code: mqtt.ServerBusy, Reason: fmt.Sprintf("packet of %d bytes, too much is being received from its account or from all", n)})
	}
	return nil
}

func (in *inbound) giveBack(c *conn) {
	if in.taken > 0 {
		c.b.inbound.Add(-int64(in.taken))
		c.quota.receive(-in.taken)
		in.taken = 0
	}
}

// need reads until at least n bytes are buffered. The buffer grows with what has come,
// not with what was announced.
func (in *inbound) need(c *conn, n int) error {
	if in.r == in.w {
		in.r, in.w = 0, 0
		size := bufferSize // a connection that is silent shall cost little
		if in.busy {
			size = 8 * bufferSize
		}
		if len(in.buf) != size {
			in.buf = make([]byte, size)
		}
		in.busy = false
	}
	for in.w-in.r < n {
		switch {
		case in.r+n <= len(in.buf):
		case n <= len(in.buf):
			in.w = copy(in.buf, in.buf[in.r:in.w])
			in.r = 0
		case in.w-in.r == len(in.buf):
			longer := make([]byte, min(2*len(in.buf), n))
			copy(longer, in.buf)
			in.buf = longer
		default:
			in.w = copy(in.buf, in.buf[in.r:in.w])
			in.r = 0
		}
		m, err := c.receive(in.buf[in.w:])
		in.w += m
		in.busy = in.w == len(in.buf)
		if err != nil && in.w-in.r < n {
			return err
		}
	}
	return nil
}

// await sets the deadline for the first byte of a packet: one and a half keepalives
// [MQTT-3.1.2-22]. Before CONNECT the deadline of newConn stands.
func (in *inbound) await(c *conn) {
	if !c.established.Load() {
		return
	}
	in.by = time.Time{}
	switch {
	case in.idle > 0:
		c.read.set(time.Now().Add(in.idle))
		in.limit = true
	case in.limit:
		c.read.set(time.Time{})
		in.limit = false
	}
}

// begun sets the deadline for the rest of a packet, once.
func (in *inbound) begun(c *conn) {
	if !c.established.Load() || !in.by.IsZero() {
		return
	}
	in.by = time.Now().Add(c.b.limits.PacketTime)
	c.read.set(in.by)
	in.limit = true
}

// whole takes a packet off the stream and gives what follows its fixed header, which
// nobody else will write to.
func (in *inbound) whole(c *conn, hl, n int) ([]byte, error) {
	body := make([]byte, 0, min(n, 64<<10)) // grows with what has come, not with what was announced
	in.r += hl
	for len(body) < n {
		if in.r < in.w {
			k := min(n-len(body), in.w-in.r)
			body = append(body, in.buf[in.r:in.r+k]...)
			in.r += k
			continue
		}
		if len(body) == cap(body) {
			body = append(make([]byte, 0, min(2*len(body), n)), body...)
		}
		m, err := c.receive(body[len(body):min(cap(body), n)])
		body = body[:len(body)+m]
		if err != nil && len(body) < n {
			return nil, err
		}
	}
	c.b.count.packet(hl + n)
	return body, nil
}

// payload reads a picture straight into a buffer that all its receivers share.
func (in *inbound) payload(c *conn, n int) (*sharedbuffer.Buffer, error) {
	l := c.b.buffers.Get(n)
	k := copy(l.Bytes, in.buf[in.r:in.w])
	in.r += k
	for k < len(l.Bytes) {
		m, err := c.receive(l.Bytes[k:])
		k += m
		if err != nil && k < len(l.Bytes) {
			l.Release()
			return nil, err
		}
	}
	return l, nil
}

// publishHead buffers what comes before the payload of a PUBLISH and gives its length.
func (in *inbound) publishHead(c *conn, first byte, hl, n int) (int, error) {
	for k := min(n, 4); ; {
		if err := in.need(c, hl+k); err != nil {
			return 0, err
		}
		want, bad := mqtt.PublishHeadSize(c.version, first, in.buf[in.r+hl:in.r+hl+k], n)
		switch {
		case bad != nil:
			return 0, c.violated(bad)
		case want > c.b.limits.PropertyBytes:
			return 0, c.violated(&mqtt.Violation{Code: mqtt.PacketTooLarge, Reason: "topic and properties are too long"})
		case want <= k:
			return want, nil
		}
		k = want
	}
}

// discard takes a packet off the stream.
func (in *inbound) discard(c *conn, n int) error {
	c.b.count.packet(n)
	for n > 0 {
		if err := in.need(c, 1); err != nil {
			return err
		}
		k := min(n, in.w-in.r)
		in.r += k
		n -= k
	}
	return nil
}
