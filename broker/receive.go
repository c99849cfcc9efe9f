package broker

import (
	"time"

	"camqtt/broker/internal/sharedbuffer"
	"camqtt/internal/access"
	"camqtt/internal/mqtt"
)

// handle handles one packet, whose fixed header is buffered.
func (c *conn) handle(first byte, hl, n int) error {
	switch {
	case !c.established.Load():
		return c.connect(first, hl, n)
	case first>>4 == mqtt.Publish:
		return c.publish(first, hl, n)
	}
	body, err := c.in.whole(c, hl, n)
	if err != nil {
		return err
	}
	switch typ := first >> 4; typ {
	case mqtt.Puback, mqtt.Pubrec, mqtt.Pubrel, mqtt.Pubcomp:
		return c.acknowledged(typ, body)
	case mqtt.Pingreq: // [MQTT-3.12.4-1]
		if bad := mqtt.CheckPing(body); bad != nil {
			return c.violated(bad)
		}
		c.reply([]byte{mqtt.Pingresp << 4, 0})
	case mqtt.Disconnect:
		return c.disconnect(body)
	case mqtt.Subscribe:
		return c.subscribe(body)
	case mqtt.Unsubscribe:
		return c.unsubscribe(body)
	}
	return nil
}

// acknowledged handles PUBACK, PUBREC, PUBREL and PUBCOMP.
func (c *conn) acknowledged(typ byte, body []byte) error {
	ack, bad := mqtt.ParseAck(c.version, typ, body)
	if bad != nil {
		return c.violated(bad)
	}
	if typ == mqtt.Pubrel {
		c.session.release(ack.ID)
		c.reply(mqtt.AckPacket{Type: mqtt.Pubcomp, ID: ack.ID}.Encode(c.version))
		return nil
	}
	if bad := c.session.acknowledged(ack); bad != nil {
		return c.violated(bad)
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
	if first&^1 == mqtt.Publish<<4 && c.version < 5 && n >= bypassFrom {
		if done, err := in.bypass(c, first&1 != 0, hl, n); done || err != nil {
			return err
		}
	}
	k, err := in.publishHead(c, first, hl, n)
	if err != nil {
		return err
	}
	p, bad := mqtt.ParsePublish(c.version, first, in.buf[in.r+hl:in.r+hl+k])
	if bad == nil {
		bad = c.resolveAlias(&p)
	}
	if bad != nil {
		return c.violated(bad)
	}
	clears := p.Retain && n == k && c.b.allowed(c.who, access.Clear, p.Topic)
	if !clears {
		if code, refused := c.refuses(p.Topic, n-k); refused {
			c.refusePublish(p.QoS, p.ID, code)
			return in.discard(c, hl+n)
		}
	}
	if err := checkTopic(p.Topic, &c.b.limits); err != nil {
		return c.violated(&mqtt.Violation{Code: mqtt.InvalidTopicName, Reason: err.Error()})
	}
	p.Retain = clears || p.Retain && c.mayRetain(p.Topic)
	if _, kind := picture(c.b.base, p.Topic); kind != ordinary && p.QoS == 0 && n-k >= bypassFrom {
		return c.publishPicture(&p, hl+k, n-k)
	}
	body, err := in.whole(c, hl+k, n-k)
	if err != nil {
		return err
	}
	c.b.count.messagesIn.Add(1)
	got := incoming{m: c.message(&p, body), id: p.ID}
	if got.m.command && c.commands != nil {
		c.commands.put(got)
		return nil
	}
	return c.published(got)
}

// incoming is a message that has come, with its packet identifier.
type incoming struct {
	m  *message
	id uint16
}

// publishPicture publishes a picture whose head has been parsed.
func (c *conn) publishPicture(p *mqtt.PublishPacket, head, payload int) error {
	c.in.r += head
	m := c.message(p, nil)
	var err error
	if m.payload, err = c.in.payload(c, payload); err != nil {
		return err
	}
	defer m.payload.Release()
	c.b.countPacket(head + payload)
	c.b.count.messagesIn.Add(1)
	c.b.publish(m)
	return nil
}

// refuses reports whether a message may not be published, and why.
func (c *conn) refuses(topic string, payload int) (mqtt.Code, bool) {
	if !c.b.allowed(c.who, access.Publish, topic) {
		c.b.log.client(c, "publish refused, the client may not", "topic", topic)
		return mqtt.NotAuthorized, true
	}
	if _, text := cameraTopic(c.b.base, topic); text && payload > maxCameraText {
		c.b.log.client(c, "publish refused, the payload is too large for a topic of a camera that is no picture",
			"topic", topic, "bytes", payload, "most", maxCameraText)
		return mqtt.QuotaExceeded, true
	}
	return mqtt.Success, false
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

// published hands on a message and acknowledges it. A message at QoS 2 is handed on
// when it comes for the first time. [MQTT-4.3.3-10]
func (c *conn) published(in incoming) error {
	ack := mqtt.AckPacket{Type: mqtt.Puback, ID: in.id}
	switch in.m.qos {
	case 0:
		c.b.publish(in.m)
		return nil
	case 1:
		if !c.b.publish(in.m) {
			ack.Code = mqtt.NoMatchingSubscribers
		}
	default:
		ack.Type = mqtt.Pubrec
		switch first, room := c.session.hold(in.id); {
		case !room:
			return c.violated(&mqtt.Violation{Code: mqtt.ReceiveMaximumExceeded, Reason: "more messages at QoS 2 than Receive Maximum [MQTT-3.3.4-7]"})
		case first:
			c.b.publish(in.m)
		}
	}
	c.reply(ack.Encode(c.version))
	return nil
}

// message makes a message of what the client publishes.
func (c *conn) message(p *mqtt.PublishPacket, payload []byte) *message {
	m := c.b.message(p, payload, c.id)
	m.account = c.account
	return m
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

// topicAliases is how many topic aliases one client may use. [MQTT-3.2.2-17]
const topicAliases = 10

// resolveAlias gives a PUBLISH the topic that its alias stands for. [MQTT-3.3.2-9]
func (c *conn) resolveAlias(p *mqtt.PublishPacket) *mqtt.Violation {
	alias := p.Alias()
	switch {
	case alias == 0:
	case alias > topicAliases:
		return &mqtt.Violation{Code: mqtt.InvalidTopicAlias, Reason: "topic alias is out of range [MQTT-3.3.2-9]"}
	case p.Topic != "":
		if c.aliases == nil {
			c.aliases = make(map[uint16]string)
		}
		c.aliases[alias] = p.Topic
	default:
		if p.Topic = c.aliases[alias]; p.Topic == "" {
			return &mqtt.Violation{Code: mqtt.ProtocolError, Reason: "topic alias stands for nothing"}
		}
	}
	return nil
}

// refusePublish acknowledges a PUBLISH that goes nowhere.
func (c *conn) refusePublish(qos byte, id uint16, why mqtt.Code) {
	ack := mqtt.AckPacket{Type: mqtt.Puback, ID: id, Code: why}
	switch qos {
	case 0:
		return
	case 2:
		ack.Type = mqtt.Pubrec
	}
	c.reply(ack.Encode(c.version))
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
	defer l.Release()
	c.b.countPacket(hl + n)
	c.b.count.messagesIn.Add(1)
	c.b.publish(&message{topic: in.topic, kind: in.kind, cam: in.cam, payload: l, retain: retain && c.mayRetain(in.topic), from: c.id, account: c.account})
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
func (c *conn) violated(v *mqtt.Violation) error {
	c.b.log.client(c, "client broke the protocol, its connection is closed", "why", v.Reason)
	c.kick(v.Code)
	return v
}

// disconnect takes what a DISCONNECT says of the session and the will.
func (c *conn) disconnect(body []byte) error {
	pk, bad := mqtt.ParseDisconnect(c.version, body)
	if bad != nil {
		return c.violated(bad)
	}
	if pk.HasSessionExpiry {
		want := time.Duration(pk.SessionExpiry) * time.Second
		if want > 0 && c.terms.expiry == 0 { // [MQTT-3.14.2-2]
			return c.violated(&mqtt.Violation{Code: mqtt.ProtocolError, Reason: "session expiry in DISCONNECT, but none in CONNECT [MQTT-3.14.2-2]"})
		}
		c.terms.expiry = min(want, c.b.limits.SessionExpiry)
		c.session.mu.Lock()
		c.session.terms.expiry = c.terms.expiry
		c.session.mu.Unlock()
	}
	if pk.Code != mqtt.DisconnectWithWill {
		c.last = nil // [MQTT-3.14.4-3]
	}
	return errDone
}
