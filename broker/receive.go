package broker

import (
	"errors"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"camqtt/internal/access"
)

// handle takes one packet off the stream, whose fixed header is buffered.
func (c *conn) handle(first byte, hl, n int) error {
	switch {
	case !c.established.Load():
		return c.connect(first, hl, n)
	case first>>4 == packets.Publish:
		return c.publish(first, hl, n)
	}
	body, err := c.in.whole(c, hl, n)
	if err != nil {
		return err
	}
	typ := first >> 4
	if bad := vet(c.version, typ, body); bad != nil {
		return c.violated(bad)
	}
	switch typ {
	case packets.Puback, packets.Pubrec, packets.Pubcomp:
		if bad := c.session.acknowledged(typ, body); bad != nil {
			return c.violated(bad)
		}
	case packets.Pubrel:
		c.session.release(body)
		c.push(item{head: []byte{packets.Pubcomp << 4, 2, body[0], body[1]}}, needed)
	case packets.Pingreq: // [MQTT-3.12.4-1]
		c.push(item{head: []byte{packets.Pingresp << 4, 0}}, needed)
	case packets.Disconnect:
		return c.disconnect(body)
	case packets.Subscribe, packets.Unsubscribe:
		return c.subscribe(typ, body)
	}
	return nil
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
	c.b.countPacket(hl + n)
	return body, nil
}

// bypassFrom is the size from which a picture is read into a shared buffer. Below it a
// copy costs less than that would save.
const bypassFrom = 1 << 10

// publish takes a PUBLISH. Those that may not be published are acknowledged all the
// same: MQTT 3.1.1 has no other answer that would not make the client come again with
// it. [MQTT-3.3.5-2]
func (c *conn) publish(first byte, hl, n int) error {
	in := &c.in
	// A QoS-0 PUBLISH without DUP, MQTT 3.1 or 3.1.1.
	if first&^1 == packets.Publish<<4 && c.version < 5 && n >= bypassFrom {
		if done, err := in.bypass(c, first&1 != 0, hl, n); done || err != nil {
			return err
		}
	}
	k, err := in.publishHead(c, first, hl, n)
	if err != nil {
		return err
	}
	p, bad := vetPublish(c.version, first, in.buf[in.r+hl:in.r+hl+k])
	if bad != nil {
		return c.violated(bad)
	}
	topic, ok := c.topicOf(p)
	if !ok {
		return c.violated(forbidden("topic alias stands for nothing"))
	}
	clears := first&1 != 0 && n == k && c.b.allowed(c.who, access.Clear, topic)
	if !clears {
		if code, refused := c.refuses(topic, n-k); refused {
			c.refusePublish(first, p.id, code)
			return in.discard(c, hl+n)
		}
	}
	if err := checkTopic(topic, &c.b.limits); err != nil {
		return c.violated(&violation{packets.ErrTopicNameInvalid, err.Error()})
	}
	if _, kind := picture(c.b.base, topic); kind == ordinary || first&6 != 0 || n-k < bypassFrom {
		k = n
	}
	body, err := in.whole(c, hl, k) // of a picture its head only
	if err != nil {
		return err
	}
	pk := packets.Packet{ProtocolVersion: c.version, Origin: c.id}
	pk.FixedHeader = packets.FixedHeader{Type: packets.Publish, Qos: first >> 1 & 3, Retain: clears || first&1 != 0 && c.mayRetain(topic), Remaining: k}
	if err := pk.PublishDecode(body); err != nil {
		return c.violated(malformed(err.Error()))
	}
	pk.TopicName = topic
	c.b.count.messagesIn.Add(1)
	if k == n {
		if command, _ := cameraTopic(c.b.base, topic); command && c.commands != nil {
			c.commands.put(&pk)
			return nil
		}
		return c.published(&pk)
	}
	m := c.message(&pk)
	if m.load, err = in.payload(c, n-k); err != nil {
		return err
	}
	defer m.load.drop()
	c.b.count.bytesIn.Add(int64(n - k))
	c.b.publish(m)
	return nil
}

// refuses reports whether a message may not be published, and why.
func (c *conn) refuses(topic string, payload int) (packets.Code, bool) {
	if !c.b.allowed(c.who, access.Publish, topic) {
		c.b.log.client(c, "publish refused, the client may not", "topic", topic)
		return packets.ErrNotAuthorized, true
	}
	if _, text := cameraTopic(c.b.base, topic); text && payload > maxCameraText {
		c.b.log.client(c, "publish refused, the payload is too large for a topic of a camera that is no picture",
			"topic", topic, "bytes", payload, "most", maxCameraText)
		return packets.ErrQuotaExceeded, true
	}
	return packets.Code{}, false
}

// payload reads a picture straight into a buffer that all its receivers share.
func (in *inbound) payload(c *conn, n int) (*load, error) {
	l := c.b.loads.get(n)
	k := copy(l.b, in.buf[in.r:in.w])
	in.r += k
	for k < len(l.b) {
		m, err := c.receive(l.b[k:])
		k += m
		if err != nil && k < len(l.b) {
			l.drop()
			return nil, err
		}
	}
	return l, nil
}

// published hands on a message and acknowledges it. A message at QoS 2 is handed on
// when it comes for the first time. [MQTT-4.3.3-10]
func (c *conn) published(pk *packets.Packet) error {
	id := pk.PacketID
	switch pk.FixedHeader.Qos {
	case 0:
		c.b.publish(c.message(pk))
	case 1:
		p := []byte{packets.Puback << 4, 2, byte(id >> 8), byte(id)}
		if heard := c.b.publish(c.message(pk)); !heard && c.version == 5 {
			p[1] = 3
			p = append(p, packets.CodeNoMatchingSubscribers.Code)
		}
		c.push(item{head: p}, needed)
	default:
		switch first, room := c.session.hold(id); {
		case !room:
			return c.violated(&violation{packets.ErrReceiveMaximum, "more messages at QoS 2 than Receive Maximum [MQTT-3.3.4-7]"})
		case first:
			c.b.publish(c.message(pk))
		}
		c.push(item{head: []byte{packets.Pubrec << 4, 2, byte(id >> 8), byte(id)}}, needed)
	}
	return nil
}

// message makes a message of what the client publishes.
func (c *conn) message(pk *packets.Packet) *message {
	m := c.b.message(pk)
	m.account = c.account
	return m
}

// publishHead buffers what comes before the payload of a PUBLISH and gives its length.
func (in *inbound) publishHead(c *conn, first byte, hl, n int) (int, error) {
	for k := min(n, 4); ; {
		if err := in.need(c, hl+k); err != nil {
			return 0, err
		}
		want, bad := publishHead(c.version, first, in.buf[in.r+hl:in.r+hl+k], n)
		switch {
		case bad != nil:
			return 0, c.violated(bad)
		case want > c.b.limits.PropertyBytes:
			return 0, c.violated(&violation{packets.ErrPacketTooLarge, "topic and properties are too long"})
		case want <= k:
			return want, nil
		}
		k = want
	}
}

// topicAliases is how many topic aliases one client may use. [MQTT-3.2.2-17]
const topicAliases = 10

// topicOf gives the topic of a PUBLISH that may have an alias in its place.
func (c *conn) topicOf(p publication) (string, bool) {
	if p.alias < 0 {
		return string(p.topic), true
	}
	if len(p.topic) == 0 {
		topic := c.aliases[p.alias]
		return topic, topic != ""
	}
	if c.aliases == nil {
		c.aliases = make(map[int]string)
	}
	topic := string(p.topic)
	c.aliases[p.alias] = topic
	return topic, true
}

// refusePublish acknowledges a PUBLISH that goes nowhere.
func (c *conn) refusePublish(first byte, id uint16, why packets.Code) {
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
		p = append(p, why.Code)
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

// bypass delivers a picture with the least ado, as nearly all of them come. false: it is
// no picture, or not a clear case.
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
	if !c.b.allowed(c.who, access.Publish, in.topic) {
		return false, nil // publish refuses it
	}
	in.r += head
	l, err := in.payload(c, n-2-tl)
	if err != nil {
		return false, err
	}
	defer l.drop()
	c.b.countPacket(hl + n)
	c.b.count.messagesIn.Add(1)
	c.b.publish(&message{topic: in.topic, kind: in.kind, cam: in.cam, load: l, retain: retain && c.mayRetain(in.topic), from: c.id, account: c.account})
	return true, nil
}

// mayRetain reports whether the client may have a message kept. One that may not is
// delivered all the same: the flag is a common mistake, above all with commands.
func (c *conn) mayRetain(topic string) bool {
	ok := c.b.allowed(c.who, access.Retain, topic)
	if !ok {
		c.b.log.client(c, "message not retained, the client may not", "topic", topic)
	}
	return ok
}

// violated ends a connection whose client broke the protocol.
func (c *conn) violated(v *violation) error {
	c.b.log.client(c, "client broke the protocol, its connection is closed", "why", v.why)
	c.kick(v.code)
	return v
}

// disconnect takes what a DISCONNECT says of the session and the will.
func (c *conn) disconnect(body []byte) error {
	pk := packets.Packet{ProtocolVersion: c.version}
	pk.FixedHeader = packets.FixedHeader{Type: packets.Disconnect, Remaining: len(body)}
	if err := pk.DisconnectDecode(body); err != nil {
		return c.violated(malformed(err.Error()))
	}
	if len(body) == 1 { // a form that the decoder does not know
		pk.ReasonCode = body[0]
	}
	if pk.Properties.SessionExpiryIntervalFlag {
		want := time.Duration(pk.Properties.SessionExpiryInterval) * time.Second
		if want > 0 && c.terms.expiry == 0 { // [MQTT-3.14.2-2]
			return c.violated(forbidden("session expiry in DISCONNECT, but none in CONNECT [MQTT-3.14.2-2]"))
		}
		c.terms.expiry = min(want, c.b.limits.SessionExpiry)
		c.session.mu.Lock()
		c.session.terms.expiry = c.terms.expiry
		c.session.mu.Unlock()
	}
	if pk.ReasonCode != packets.CodeDisconnectWillMessage.Code {
		c.last = nil // [MQTT-3.14.4-3]
	}
	return errDone
}

// subscribe lets the engine handle SUBSCRIBE and UNSUBSCRIBE, with the calls in hook.
func (c *conn) subscribe(typ byte, body []byte) error {
	pk := packets.Packet{ProtocolVersion: c.version, Origin: c.id}
	pk.FixedHeader = packets.FixedHeader{Type: typ, Qos: 1, Remaining: len(body)}
	decode := pk.SubscribeDecode
	if typ == packets.Unsubscribe {
		decode = pk.UnsubscribeDecode
	}
	if err := decode(body); err != nil {
		return c.violated(malformed(err.Error()))
	}
	err := c.b.engine.InjectPacket(c.client, pk)
	var code packets.Code
	if errors.As(err, &code) {
		return c.violated(&violation{code, code.Reason})
	}
	return err
}
