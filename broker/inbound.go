package broker

import (
	"errors"
	"fmt"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"
)

var (
	errFull   = errors.New("too much waits to be sent")
	errLength = errors.New("remaining length takes more than four bytes [MQTT-2.2.3]")
)

// bypassFrom is the size from which a picture is taken past the engine. Below it the
// engine's two copies cost less than they would save.
const bypassFrom = 1 << 10

// bufferSize holds nearly every packet but pictures.
const bufferSize = 4 << 10

// inbound follows the packet boundaries of a client's stream. It is used by the
// connection's reader only.
type inbound struct {
	buf   []byte
	r, w  int           // buf[r:w] was read and not yet passed on
	left  int           // bytes of the current packet that are the engine's
	idle  time.Duration // how long the client may be silent; 0 for ever
	limit bool          // a deadline is set
	by    time.Time     // the current packet must be complete by then
	taken int           // of Broker.inbound, for the current packet
	topic string        // last picture topic and what picture says of it
	cam   *camera
	kind  kind
}

func (in *inbound) read(c *conn, p []byte) (int, error) {
	for in.left == 0 {
		if err := in.packet(c); err != nil {
			return 0, err
		}
	}
	p = p[:min(len(p), in.left)]
	if in.r == in.w { // nothing buffered: straight from the line, but never past this packet
		n, err := c.raw.Read(p)
		in.left -= n
		return n, err
	}
	n := copy(p, in.buf[in.r:in.w])
	in.r += n
	in.left -= n
	return n, nil
}

// packet looks at the next packet's head. It either takes the packet off the stream
// or sets left, so that the engine reads it.
func (in *inbound) packet(c *conn) error {
	in.giveBack(c)
	in.await(c)
	if err := in.need(c, 1); err != nil {
		return err
	}
	in.begun(c)
	first, joined := in.buf[in.r], c.established.Load()
	switch {
	case !joined && first>>4 != packets.Connect:
		return fmt.Errorf("%s in place of CONNECT [MQTT-3.1.0-1]", packets.PacketNames[first>>4])
	case joined:
		if bad := vetFirst(c.version, first); bad != nil {
			return c.violated(bad)
		}
	}
	hl, n, err := in.header(c)
	if err != nil {
		return err
	}
	if err := c.checkSize(first>>4, n); err != nil {
		return err
	}
	if err := in.take(c, n); err != nil {
		return err
	}
	switch {
	case !joined:
		return in.connect(c, first, hl, n)
	case first>>4 == packets.Publish:
		return in.publish(c, first, hl, n)
	}
	return in.control(c, first>>4, hl, n)
}

// header reads the length of the next packet; hl is the length of its fixed header.
func (in *inbound) header(c *conn) (hl, n int, err error) {
	for want := 2; ; want++ {
		if err := in.need(c, want); err != nil {
			return 0, 0, err
		}
		switch hl, n = header(in.buf[in.r:in.w]); {
		case hl > 0:
			return hl, n, nil
		case in.w-in.r >= 5:
			return 0, 0, errLength
		}
	}
}

// connect checks CONNECT, which must be complete: an engine that has begun to read it
// knows of no deadline.
func (in *inbound) connect(c *conn, first byte, hl, n int) error {
	if err := in.need(c, hl+n); err != nil {
		return err
	}
	version, bad := vetConnect(first, in.buf[in.r+hl:in.r+hl+n])
	if bad != nil {
		return c.unacceptable(version, bad)
	}
	in.buf[in.r] = packets.Connect << 4
	in.left = hl + n
	return nil
}

// control checks any packet but CONNECT and PUBLISH, and takes the acknowledgements of
// what the broker has sent, of which the engine knows nothing.
func (in *inbound) control(c *conn, typ byte, hl, n int) error {
	if err := in.need(c, hl+n); err != nil {
		return err
	}
	body := in.buf[in.r+hl : in.r+hl+n]
	if bad := vet(c.version, typ, body); bad != nil {
		return c.violated(bad)
	}
	switch typ {
	case packets.Puback, packets.Pubrec, packets.Pubcomp:
		in.r += hl + n
		c.b.countPacket(hl + n)
		if bad := c.session.acknowledged(typ, body); bad != nil {
			return c.violated(bad)
		}
		return nil
	}
	in.buf[in.r] = typ<<4 | flagsOf(typ) // MQTT 3.1 is free in them, the engine is not
	in.left = hl + n
	return nil
}

// publish checks a PUBLISH up to its payload. Those that may not be published are
// acknowledged all the same: MQTT 3.1.1 has no other answer that would not make the
// client come again with it. [MQTT-3.3.5-2]
func (in *inbound) publish(c *conn, first byte, hl, n int) error {
	// A QoS-0 PUBLISH without DUP, MQTT 3.1 or 3.1.1.
	if first&^1 == packets.Publish<<4 && c.version < 5 && n >= bypassFrom {
		if done, err := in.bypass(c, first&1 != 0, hl, n); done || err != nil {
			return err
		}
	}
	k := min(n, 4)
	for {
		if err := in.need(c, hl+k); err != nil {
			return err
		}
		want, bad := publishHead(c.version, first, in.buf[in.r+hl:in.r+hl+k], n)
		if bad != nil {
			return c.violated(bad)
		}
		if limit := c.b.limits.PropertyBytes; want > limit {
			return c.violated(&violation{packets.ErrPacketTooLarge, "topic and properties are too long"})
		}
		if want <= k {
			k = want
			break
		}
		k = want
	}
	topic, id, bad := vetPublish(c.version, first, in.buf[in.r+hl:in.r+hl+k])
	if bad != nil {
		return c.violated(bad)
	}
	if !allowed(c.who, publish, string(topic)) {
		c.b.log.trouble("publish refused, the client may not", "client", c.id, "topic", string(topic))
		c.refusePublish(first, id)
		return in.discard(c, hl+n)
	}
	if err := checkTopic(string(topic), &c.b.limits); err != nil {
		return c.violated(&violation{packets.ErrTopicNameInvalid, err.Error()})
	}
	if first&6 == 0 {
		in.buf[in.r] &^= 8 // DUP says nothing at QoS 0, but the engine takes offence
	}
	in.left = hl + n
	return nil
}

// refusePublish acknowledges a PUBLISH that goes nowhere.
func (c *conn) refusePublish(first byte, id uint16) {
	typ := byte(packets.Puback)
	switch first & 6 {
	case 0:
		return
	case 4:
		typ = packets.Pubrec
	}
	p := []byte{typ << 4, 2, byte(id >> 8), byte(id)}
	if c.version == 5 {
		p[1] = 3
		p = append(p, packets.ErrNotAuthorized.Code)
	}
	c.push(item{head: p}, needed)
}

// discard takes a packet off the stream.
func (in *inbound) discard(c *conn, n int) error {
	c.b.countPacket(n)
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

// violated ends a connection whose client broke the protocol.
func (c *conn) violated(v *violation) error {
	c.b.log.trouble("client broke the protocol, its connection is closed", "client", c.id, "remote", c.RemoteAddr().String(), "why", v.why)
	c.kick(v.code)
	return v
}

// unacceptable answers a CONNECT that breaks the protocol, where MQTT has an answer.
// [MQTT-3.1.4-1], [MQTT-3.2.2-7]
func (c *conn) unacceptable(version byte, v *violation) error {
	switch {
	case version == 5, version > 0 && v.code == packets.ErrUnsupportedProtocolVersion:
		c.push(item{head: []byte{packets.Connack << 4, 3, 0, v.code.Code, 0}}, needed)
	case v.code == packets.ErrClientIdentifierNotValid:
		c.push(item{head: []byte{packets.Connack << 4, 2, 0, v3Code(v.code.Code)}}, needed)
	}
	return fmt.Errorf("read CONNECT: %w", v)
}

// checkSize refuses a packet by its announced length, before anything is allocated
// for it.
func (c *conn) checkSize(typ byte, n int) error {
	l, limit := &c.b.limits, 0
	switch {
	case !c.established.Load():
		limit = l.ConnectPacket
	case typ == packets.Publish:
		limit = l.Packet
	default:
		limit = l.ControlPacket
	}
	if n > limit {
		return fmt.Errorf("%s of %d bytes, at most %d are allowed: %w", packets.PacketNames[typ], n, limit, packets.ErrPacketTooLarge)
	}
	return nil
}

// bypass reads a picture straight into a shared buffer and delivers it. false: it is
// no picture, or not a clear case, and the engine shall have it.
func (in *inbound) bypass(c *conn, retain bool, hl, n int) (bool, error) {
	if err := in.need(c, hl+2); err != nil {
		return false, err
	}
	tl := int(in.buf[in.r+hl])<<8 | int(in.buf[in.r+hl+1])
	head := hl + 2 + tl
	if 2+tl > n || head > len(in.buf) {
		return false, nil
	}
	if err := in.need(c, head); err != nil {
		return false, err
	}
	if name := in.buf[in.r+hl+2 : in.r+head]; string(name) != in.topic {
		topic := string(name)
		id, k := picture(c.b.base, topic)
		if k == ordinary {
			return false, nil
		}
		in.topic, in.kind, in.cam = topic, k, c.b.cameras.get(id)
	}
	if !allowed(c.who, publish, in.topic) {
		return false, nil // the engine knows how to refuse
	}
	l := c.b.loads.get(n - 2 - tl)
	defer l.drop()
	in.r += head
	k := copy(l.b, in.buf[in.r:in.w])
	in.r += k
	for k < len(l.b) {
		m, err := c.raw.Read(l.b[k:])
		k += m
		if err != nil && k < len(l.b) {
			return false, err
		}
	}
	c.b.countIn(hl + n)
	c.b.publish(&message{topic: in.topic, kind: in.kind, cam: in.cam, load: l, retain: retain, from: c.id})
	return true, nil
}

// take reserves room for a large packet, whose sender may take a minute to deliver it.
func (in *inbound) take(c *conn, n int) error {
	if n <= 64<<10 {
		return nil
	}
	in.taken = n
	if c.b.inbound.Add(int64(n)) > int64(c.b.limits.InboundBytes) {
		return fmt.Errorf("packet of %d bytes: too much is being received from all clients: %w", n, packets.ErrServerBusy)
	}
	return nil
}

func (in *inbound) giveBack(c *conn) {
	if in.taken > 0 {
		c.b.inbound.Add(-int64(in.taken))
		in.taken = 0
	}
}

// need reads until at least n bytes are buffered. The buffer grows with what has come,
// not with what was announced.
func (in *inbound) need(c *conn, n int) error {
	if in.r == in.w {
		in.r, in.w = 0, 0
		if len(in.buf) > bufferSize {
			in.buf = nil
		}
	}
	if in.buf == nil { // a connection that sends nothing costs nothing
		in.buf = make([]byte, bufferSize)
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
		m, err := c.raw.Read(in.buf[in.w:])
		in.w += m
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
		c.readBy(time.Now().Add(in.idle))
		in.limit = true
	case in.limit:
		c.readBy(time.Time{})
		in.limit = false
	}
}

// begun sets the deadline for the rest of a packet, once.
func (in *inbound) begun(c *conn) {
	if !c.established.Load() || !in.by.IsZero() {
		return
	}
	in.by = time.Now().Add(c.b.limits.PacketTime)
	c.readBy(in.by)
	in.limit = true
}

// header parses a fixed header. hl is 0 while it is incomplete.
func header(b []byte) (hl, n int) {
	for i := 1; i < len(b) && i < 5; i++ {
		n |= int(b[i]&127) << (7 * (i - 1))
		if b[i] < 128 {
			return i + 1, n
		}
	}
	return 0, 0
}
