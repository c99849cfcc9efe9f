package broker

import (
	"strings"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// hook is the engine's one hook. Whatever it does runs in a connection's reader, whose
// panics cost that connection only.
type hook struct {
	mqtt.HookBase
	b *Broker
}

// ID names the hook in the engine.
func (h *hook) ID() string { return "camqtt" }

// Provides says which calls the engine shall make.
func (h *hook) Provides(b byte) bool {
	switch b {
	case mqtt.OnConnect, mqtt.OnConnectAuthenticate, mqtt.OnACLCheck,
		mqtt.OnSessionEstablish, mqtt.OnSessionEstablished,
		mqtt.OnPacketRead, mqtt.OnPacketEncode, mqtt.OnPacketProcessed,
		mqtt.OnSubscribe, mqtt.OnSubscribed, mqtt.OnUnsubscribe, mqtt.OnUnsubscribed,
		mqtt.OnSelectSubscribers, mqtt.OnPublish:
		return true
	}
	return false
}

// OnConnect takes over from the engine what it gets wrong: session expiry, Receive
// Maximum, the keepalive's arithmetic and the will. Nothing is trusted yet.
func (h *hook) OnConnect(cl *mqtt.Client, pk packets.Packet) error {
	c, ok := cl.Net.Conn.(*conn)
	if !ok {
		return packets.ErrImplementationSpecificError
	}
	l := &h.b.limits
	c.version, c.id = cl.Properties.ProtocolVersion, strings.Clone(cl.ID)
	cl.ID = c.id
	if err := checkText(c.id, l.ClientIDBytes); err != nil {
		return h.refuse(cl, packets.ErrClientIdentifierNotValid, err)
	}
	if pk.Properties.AuthenticationMethod != "" { // [MQTT-4.12.0-1]
		return h.refuse(cl, packets.ErrBadAuthenticationMethod, packets.ErrBadAuthenticationMethod)
	}
	c.terms = termsOf(l, &pk)
	c.in.idle = time.Duration(pk.Connect.Keepalive) * time.Second * 3 / 2
	if err := c.takeWill(&pk); err != nil {
		return h.refuse(cl, packets.ErrTopicNameInvalid, err)
	}

	// The engine must neither send the will (it loses most of it and asks nobody), nor
	// end the session (it goes by the identifier and can hit the successor), nor count
	// what is on its way (its lock is taken twice).
	cl.Properties.Will = mqtt.Will{}
	cl.Properties.Clean = false
	cl.Properties.Props.SessionExpiryInterval = 1
	cl.Properties.Props.SessionExpiryIntervalFlag = false
	cl.Properties.Props.ReceiveMaximum = 0
	cl.Properties.Props.TopicAliasMaximum = 0
	cl.State.TopicAliases.Outbound = mqtt.NewOutboundTopicAliases(0)
	cl.State.Inflight.ResetSendQuota(0)
	return nil
}

// refuse answers CONNECT with a reason. The engine would close without a word.
func (h *hook) refuse(cl *mqtt.Client, code packets.Code, why error) error {
	_ = h.b.engine.SendConnack(cl, code, false, nil)
	return why
}

// termsOf reads a CONNECT.
func termsOf(l *Limits, pk *packets.Packet) terms {
	t := terms{version: pk.ProtocolVersion, window: l.Window}
	p := &pk.Properties
	if t.version < 5 {
		if !pk.Connect.Clean {
			t.expiry = l.SessionExpiry
		}
		return t
	}
	t.max = int(min(p.MaximumPacketSize, 1<<30))
	if p.ReceiveMaximum > 0 {
		t.window = min(t.window, int(p.ReceiveMaximum))
	}
	if p.SessionExpiryIntervalFlag {
		t.expiry = min(time.Duration(p.SessionExpiryInterval)*time.Second, l.SessionExpiry)
	}
	return t
}

// takeWill takes the will out of a CONNECT.
func (c *conn) takeWill(pk *packets.Packet) error {
	p := &pk.Connect
	if !p.WillFlag {
		return nil
	}
	if err := checkTopic(p.WillTopic, &c.b.limits); err != nil {
		return err
	}
	w := &packets.Packet{
		TopicName:   p.WillTopic,
		Payload:     p.WillPayload,
		Origin:      c.id,
		Properties:  p.WillProperties,
		FixedHeader: packets.FixedHeader{Qos: min(p.WillQos, 2), Retain: p.WillRetain},
	}
	w.Properties.MessageExpiryInterval = 0 // begins when the will is published
	c.last = &will{m: c.b.message(w), delay: time.Duration(p.WillProperties.WillDelayInterval) * time.Second, life: p.WillProperties.MessageExpiryInterval}
	return nil
}

// OnConnectAuthenticate decides who the client is and whether it may have what its
// CONNECT asks for.
func (h *hook) OnConnectAuthenticate(cl *mqtt.Client, _ packets.Packet) bool {
	c, ok := cl.Net.Conn.(*conn)
	if !ok {
		return false
	}
	c.who = h.b.identify(c)
	c.terms.who = c.who
	if c.who.rank == nobody {
		c.refusal = packets.ErrNotAuthorized
		h.b.log.trouble("connection refused, it may not come in without an account", "client", c.id, "remote", c.RemoteAddr().String())
		return false
	}
	if c.last != nil && !allowed(c.who, publish, c.last.m.topic) {
		c.refusal = packets.ErrNotAuthorized
		h.b.log.trouble("connection refused, its will may not be published", "client", c.id, "topic", c.last.m.topic)
		return false
	}
	if s := h.b.sessions.get(c.id); s != nil {
		if _, t := s.peer(); t.who.rank > c.who.rank {
			c.refusal = packets.ErrClientIdentifierNotValid
			h.b.log.trouble("connection refused, its client id is somebody else's", "client", c.id, "remote", c.RemoteAddr().String())
			return false
		}
	}
	return true
}

// OnACLCheck is asked for every PUBLISH, every filter of a SUBSCRIBE and every $SYS
// message that the engine delivers.
func (h *hook) OnACLCheck(cl *mqtt.Client, topic string, write bool) bool {
	c, ok := cl.Net.Conn.(*conn)
	if !ok {
		return false
	}
	if write {
		return allowed(c.who, publish, topic)
	}
	return allowed(c.who, subscribe, topic)
}

// OnSessionEstablish is called before the engine registers the client.
func (h *hook) OnSessionEstablish(cl *mqtt.Client, pk packets.Packet) {
	if c, ok := cl.Net.Conn.(*conn); ok {
		h.b.enter(c, cl, pk.Connect.Clean)
	}
}

// OnSessionEstablished is called after CONNACK.
func (h *hook) OnSessionEstablished(cl *mqtt.Client, _ packets.Packet) {
	c, ok := cl.Net.Conn.(*conn)
	if !ok {
		return
	}
	c.in.limit = true
	c.established.Store(true)
	h.b.count.clients.Add(1)
	c.session.resume(c, c.terms)
	h.b.changed()
}

// OnPacketRead sees what the client sends, but for pictures that went past the engine
// and acknowledgements.
func (h *hook) OnPacketRead(cl *mqtt.Client, pk packets.Packet) (packets.Packet, error) {
	c, ok := cl.Net.Conn.(*conn)
	if !ok {
		return pk, packets.ErrRejectPacket
	}
	if c.session != nil && pk.FixedHeader.Type == packets.Disconnect {
		return h.disconnect(c, pk)
	}
	return pk, nil
}

// disconnect takes what a DISCONNECT says of the session and the will.
func (h *hook) disconnect(c *conn, pk packets.Packet) (packets.Packet, error) {
	if pk.Properties.SessionExpiryIntervalFlag {
		want := time.Duration(pk.Properties.SessionExpiryInterval) * time.Second
		if want > 0 && c.terms.expiry == 0 { // [MQTT-3.14.2-2]
			c.kick(packets.ErrProtocolViolationZeroNonZeroExpiry)
			return pk, packets.ErrRejectPacket
		}
		c.terms.expiry = min(want, h.b.limits.SessionExpiry)
		c.session.mu.Lock()
		c.session.terms.expiry = c.terms.expiry
		c.session.mu.Unlock()
		pk.Properties.SessionExpiryIntervalFlag = false
	}
	if pk.ReasonCode != packets.CodeDisconnectWillMessage.Code {
		c.last = nil // [MQTT-3.14.4-3]
	}
	return pk, nil
}

// OnPacketEncode corrects what the engine is about to answer.
func (h *hook) OnPacketEncode(cl *mqtt.Client, pk packets.Packet) packets.Packet {
	c, ok := cl.Net.Conn.(*conn)
	if !ok {
		return pk
	}
	switch pk.FixedHeader.Type {
	case packets.Connack:
		c.connack(cl, &pk)
		if c.atDoor {
			c.atDoor = false
			h.b.door.Unlock()
		}
	case packets.Suback, packets.Unsuback:
		for i, v := range c.verdicts {
			if v != 0 && i < len(pk.ReasonCodes) {
				pk.ReasonCodes[i] = v
			}
		}
		c.verdicts = nil
		pk.Properties.User = nil // the engine sends the client's back to it
	case packets.Pubrec:
		// A message that comes again is acknowledged again [MQTT-4.3.3-10]; the engine
		// would have the client believe that it was refused.
		if pk.ReasonCode == packets.ErrPacketIdentifierInUse.Code {
			pk.ReasonCode = 0
		}
		pk.Properties.ReasonString = ""
	case packets.Pubcomp: // what the broker has forgotten is complete
		pk.ReasonCode, pk.Properties.ReasonString = 0, ""
	case packets.Disconnect, packets.Puback:
		pk.Properties.ReasonString = ""
	}
	return pk
}

// connack makes CONNACK say what is so. [MQTT-3.2.2]
func (c *conn) connack(cl *mqtt.Client, pk *packets.Packet) {
	old := cl.Properties.ProtocolVersion < 5
	if c.refusal.Code != 0 {
		pk.ReasonCode, pk.Properties.ReasonString = c.refusal.Code, c.refusal.Reason
	}
	if old {
		pk.ReasonCode = v3Code(pk.ReasonCode)
	}
	if old || pk.ReasonCode != 0 {
		return
	}
	p := &pk.Properties
	p.MaximumPacketSize = uint32(c.b.limits.Packet)
	p.SessionExpiryInterval, p.SessionExpiryIntervalFlag = uint32(c.terms.expiry/time.Second), true
}

// v3Code gives the MQTT 3.1.1 return code for a reason; the engine knows few and sends
// others as they are. [MQTT-3.2.2.3]
func v3Code(code byte) byte {
	switch code {
	case packets.ErrUnsupportedProtocolVersion.Code:
		return 1
	case packets.ErrClientIdentifierNotValid.Code, packets.ErrUnspecifiedError.Code: // [MQTT-3.1.3-8]
		return 2
	case packets.ErrBadUsernameOrPassword.Code:
		return 4
	case packets.ErrNotAuthorized.Code, packets.ErrTopicNameInvalid.Code:
		return 5
	}
	if code > 5 {
		return 3
	}
	return code
}

// OnPacketProcessed is called after the answer to a packet was written.
func (h *hook) OnPacketProcessed(cl *mqtt.Client, pk packets.Packet, err error) {
	if c, ok := cl.Net.Conn.(*conn); ok && err == nil && pk.FixedHeader.Type == packets.Subscribe {
		c.answerAsked()
	}
}

// OnSelectSubscribers is called for $SYS messages only.
func (h *hook) OnSelectSubscribers(subs *mqtt.Subscribers, _ packets.Packet) *mqtt.Subscribers {
	return selectSystem(subs)
}

// OnPublish delivers a message and tells the engine to do no more than acknowledge it.
func (h *hook) OnPublish(cl *mqtt.Client, pk packets.Packet) (packets.Packet, error) {
	c, ok := cl.Net.Conn.(*conn)
	if !ok {
		return pk, packets.ErrRejectPacket
	}
	pk.Origin = c.id
	c.unheard = !h.b.publish(h.b.message(&pk))
	return pk, packets.CodeSuccessIgnore
}
