package broker

import (
	"time"

	"camqtt/internal/access"
	"camqtt/internal/mqtt"
)

// handler handles the packets of one connection. It is used by its reader only.
type handler struct {
	*conn
	aliases map[uint16]string // topic aliases

	topic string // of the last picture, and what it says of it
	kind  kind
	cam   *camera
}

// handle handles one packet, whose fixed header is buffered.
func (h *handler) handle(first byte, hl, n int) error {
	switch {
	case !h.established.Load():
		hs := handshake{conn: h.conn}
		return hs.run(first, hl, n)
	case first>>4 == mqtt.Publish:
		return h.publish(first, hl, n)
	}
	body, err := h.in.body(hl, n)
	if err != nil {
		return err
	}
	switch typ := first >> 4; typ {
	case mqtt.Puback, mqtt.Pubrec, mqtt.Pubrel, mqtt.Pubcomp:
		return h.acknowledged(typ, body)
	case mqtt.Pingreq: // [MQTT-3.12.4-1]
		if bad := mqtt.CheckPing(body); bad != nil {
			return bad
		}
		h.reply([]byte{mqtt.Pingresp << 4, 0})
	case mqtt.Disconnect:
		return h.disconnect(body)
	case mqtt.Subscribe:
		return h.subscribe(body)
	case mqtt.Unsubscribe:
		return h.unsubscribe(body)
	}
	return nil
}

// acknowledged handles PUBACK, PUBREC, PUBREL and PUBCOMP.
func (h *handler) acknowledged(typ byte, body []byte) error {
	ack, bad := mqtt.ParseAck(h.version, typ, body)
	if bad != nil {
		return bad
	}
	if typ == mqtt.Pubrel {
		h.session.release(ack.ID)
		h.reply(mqtt.AckPacket{Type: mqtt.Pubcomp, ID: ack.ID}.Encode(h.version))
		return nil
	}
	if bad := h.session.acknowledged(ack); bad != nil {
		return bad
	}
	return nil
}

// bypassFrom is the size from which a picture is read into a shared buffer. Below it a
// copy costs less than that would save.
const bypassFrom = 1 << 10

// publish takes a PUBLISH. Those that may not be published are acknowledged all the
// same: MQTT 3.1.1 has no other answer that would not make the client come again with
// it. [MQTT-3.3.5-2]
func (h *handler) publish(first byte, hl, n int) error {
	in := &h.in
	// A QoS-0 PUBLISH without DUP, MQTT 3.1 or 3.1.1.
	if first&^1 == mqtt.Publish<<4 && h.version < 5 && n >= bypassFrom {
		if done, err := h.publishPlainPicture(first&1 != 0, hl, n); done || err != nil {
			return err
		}
	}
	k, err := in.publishHead(first, hl, n)
	if err != nil {
		return err
	}
	p, bad := mqtt.ParsePublish(h.version, first, in.buf[in.r+hl:in.r+hl+k])
	if bad == nil {
		bad = h.resolveAlias(&p)
	}
	if bad != nil {
		return bad
	}
	clears := p.Retain && n == k && h.b.rights.allowed(h.who, access.Clear, p.Topic)
	if !clears {
		if code, refused := h.refuses(p.Topic, n-k); refused {
			h.refusePublish(p.QoS, p.ID, code)
			return in.discard(hl + n)
		}
	}
	if err := checkTopic(p.Topic, &h.b.limits); err != nil {
		return &mqtt.Violation{Code: mqtt.InvalidTopicName, Reason: err.Error()}
	}
	p.Retain = clears || p.Retain && h.mayRetain(p.Topic)
	if _, kind := picture(h.b.base, p.Topic); kind != ordinary && p.QoS == 0 && n-k >= bypassFrom {
		return h.publishPicture(&p, hl+k, n-k)
	}
	body, err := in.body(hl+k, n-k)
	if err != nil {
		return err
	}
	h.b.count.messagesIn.Add(1)
	got := incoming{m: h.message(&p, body), id: p.ID}
	if got.m.command && h.commands != nil {
		h.commands.put(got)
		return nil
	}
	return h.published(got)
}

// incoming is a message that has come, with its packet identifier.
type incoming struct {
	m  *message
	id uint16
}

// publishPicture publishes a picture whose head has been parsed.
func (h *handler) publishPicture(p *mqtt.PublishPacket, head, payload int) error {
	h.in.r += head
	m := h.message(p, nil)
	m.payload = h.b.buffers.Get(payload)
	defer m.payload.Release()
	if err := h.in.payload(m.payload.Bytes); err != nil {
		return err
	}
	h.b.count.packet(head + payload)
	h.b.count.messagesIn.Add(1)
	h.b.router.publish(m)
	return nil
}

// refuses reports whether a message may not be published, and why.
func (h *handler) refuses(topic string, payload int) (mqtt.Code, bool) {
	if !h.b.rights.allowed(h.who, access.Publish, topic) {
		h.b.log.warnClient(h.conn, "publish refused, the client may not", "topic", topic)
		return mqtt.NotAuthorized, true
	}
	if _, text := cameraTopic(h.b.base, topic); text && payload > maxCameraText {
		h.b.log.warnClient(h.conn, "publish refused, the payload is too large for a topic of a camera that is no picture",
			"topic", topic, "bytes", payload, "most", maxCameraText)
		return mqtt.QuotaExceeded, true
	}
	return mqtt.Success, false
}

// published hands on a message and acknowledges it. A message at QoS 2 is handed on
// when it comes for the first time. [MQTT-4.3.3-10]
func (h *handler) published(in incoming) error {
	ack := mqtt.AckPacket{Type: mqtt.Puback, ID: in.id}
	switch in.m.qos {
	case 0:
		h.b.router.publish(in.m)
		return nil
	case 1:
		if !h.b.router.publish(in.m) {
			ack.Code = mqtt.NoMatchingSubscribers
		}
	default:
		ack.Type = mqtt.Pubrec
		switch first, room := h.session.hold(in.id); {
		case !room:
			return &mqtt.Violation{Code: mqtt.ReceiveMaximumExceeded, Reason: "more messages at QoS 2 than Receive Maximum [MQTT-3.3.4-7]"}
		case first:
			h.b.router.publish(in.m)
		}
	}
	h.reply(ack.Encode(h.version))
	return nil
}

// message makes a message of what the client publishes.
func (h *handler) message(p *mqtt.PublishPacket, payload []byte) *message {
	m := h.b.router.message(p, payload, h.id)
	m.account = h.account
	return m
}

// topicAliases is how many topic aliases one client may use. [MQTT-3.2.2-17]
const topicAliases = 10

// resolveAlias gives a PUBLISH the topic that its alias stands for. [MQTT-3.3.2-9]
func (h *handler) resolveAlias(p *mqtt.PublishPacket) *mqtt.Violation {
	alias := p.Alias()
	switch {
	case alias == 0:
	case alias > topicAliases:
		return &mqtt.Violation{Code: mqtt.InvalidTopicAlias, Reason: "topic alias is out of range [MQTT-3.3.2-9]"}
	case p.Topic != "":
		if h.aliases == nil {
			h.aliases = make(map[uint16]string)
		}
		h.aliases[alias] = p.Topic
	default:
		if p.Topic = h.aliases[alias]; p.Topic == "" {
			return &mqtt.Violation{Code: mqtt.ProtocolError, Reason: "topic alias stands for nothing"}
		}
	}
	return nil
}

// refusePublish acknowledges a PUBLISH that is not delivered.
func (h *handler) refusePublish(qos byte, id uint16, why mqtt.Code) {
	ack := mqtt.AckPacket{Type: mqtt.Puback, ID: id, Code: why}
	switch qos {
	case 0:
		return
	case 2:
		ack.Type = mqtt.Pubrec
	}
	h.reply(ack.Encode(h.version))
}

// publishPlainPicture handles a picture of the form that nearly all of them have. false:
// it is something else.
func (h *handler) publishPlainPicture(retain bool, hl, n int) (bool, error) {
	in := &h.in
	if err := in.fill(hl + 2); err != nil {
		return false, err
	}
	tl := int(in.buf[in.r+hl])<<8 | int(in.buf[in.r+hl+1])
	head := hl + 2 + tl
	if 2+tl > n || head > len(in.buf) {
		return false, nil
	}
	if err := in.fill(head); err != nil {
		return false, err
	}
	if name := in.buf[in.r+hl+2 : in.r+head]; string(name) != h.topic {
		topic := string(name)
		id, k := picture(h.b.base, topic)
		if k == ordinary {
			return false, nil
		}
		h.topic, h.kind, h.cam = topic, k, h.b.cameras.get(id)
	}
	if !h.b.rights.allowed(h.who, access.Publish, h.topic) {
		return false, nil // publish refuses it
	}
	in.r += head
	l := h.b.buffers.Get(n - 2 - tl)
	defer l.Release()
	if err := in.payload(l.Bytes); err != nil {
		return false, err
	}
	h.b.count.packet(hl + n)
	h.b.count.messagesIn.Add(1)
	h.b.router.publish(&message{topic: h.topic, kind: h.kind, cam: h.cam, payload: l, retain: retain && h.mayRetain(h.topic), from: h.id, account: h.account})
	return true, nil
}

// mayRetain reports whether the client may have a message kept. One that may not is
// delivered all the same: the flag is a common mistake, above all with commands.
func (h *handler) mayRetain(topic string) bool {
	ok := h.b.rights.allowed(h.who, access.Retain, topic)
	if !ok {
		h.b.log.warnClient(h.conn, "message not retained, the client may not", "topic", topic)
	}
	return ok
}

// disconnect takes what a DISCONNECT says of the session and the will.
func (h *handler) disconnect(body []byte) error {
	pk, bad := mqtt.ParseDisconnect(h.version, body)
	if bad != nil {
		return bad
	}
	if pk.HasSessionExpiry {
		want := time.Duration(pk.SessionExpiry) * time.Second
		if want > 0 && h.terms.expiry == 0 { // [MQTT-3.14.2-2]
			return &mqtt.Violation{Code: mqtt.ProtocolError, Reason: "session expiry in DISCONNECT, but none in CONNECT [MQTT-3.14.2-2]"}
		}
		h.terms.expiry = min(want, h.b.limits.SessionExpiry)
		h.session.mu.Lock()
		h.session.terms.expiry = h.terms.expiry
		h.session.mu.Unlock()
	}
	if pk.Code != mqtt.DisconnectWithWill {
		h.last = nil // [MQTT-3.14.4-3]
	}
	return errDone
}
