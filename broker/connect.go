package broker

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"camqtt/internal/mqtt"
)

// errRefused is how a connection ends whose CONNECT was answered with a refusal.
var errRefused = errors.New("connection refused")

// connect handles CONNECT: it decides who the client is and whether it may have what it
// asks for, gives it its session and answers. Afterwards the connection is established.
func (c *conn) connect(first byte, hl, n int) error {
	body, err := c.in.whole(c, hl, n)
	if err != nil {
		return err
	}
	c.connecting.Store(true)
	pk, bad := mqtt.ParseConnect(first, body)
	if bad != nil {
		return c.unacceptable(pk.Version, bad)
	}
	assigned := c.nameClient(&pk)
	if code, err := c.admissible(&pk); err != nil {
		return c.refuse(&pk, code, err)
	}
	if code, err := c.identified(&pk); err != nil {
		return c.refuse(&pk, code, err)
	}
	present, err := c.b.enter(c, pk.Clean)
	if err != nil {
		return c.refuse(&pk, noEntry(err), err)
	}
	c.b.count.joined() // before the answer: a client that has it is one of those connected
	ack := c.connack(present, assigned)
	answered := c.reply(ack.Encode(c.version))
	if answered { // before the session can be taken over, of which the client is told
		c.established.Store(true)
	} else {
		c.b.count.clients.Add(-1)
	}
	c.b.stepIn(c)
	if !answered {
		return fmt.Errorf("answer CONNECT: %w", net.ErrClosed)
	}
	if c.b.lapsed(c.who, c.id) { // since it came in
		c.revoked()
		return errDone
	}
	c.in.limit = true
	c.session.resume(c, c.terms)
	c.b.fans.forget(c.b.subs.filters(c.id))
	return nil
}

// noEntry gives the answer to a client that got no session.
func noEntry(err error) mqtt.Code {
	switch {
	case errors.Is(err, errTaken):
		return mqtt.InvalidClientID
	case errors.Is(err, errAllReserved):
		return mqtt.ServerBusy
	}
	return mqtt.QuotaExceeded
}

// refuse answers CONNECT with a reason.
func (c *conn) refuse(pk *mqtt.ConnectPacket, code mqtt.Code, why error) error {
	c.explains(code)
	c.b.log.client(c, "connection refused", "why", why)
	ack := mqtt.ConnackPacket{Code: code, Reason: code.String()}
	if p := &pk.Props; p.NoProblemInformation || p.MaximumPacketSize > 0 && p.MaximumPacketSize < uint32(len(ack.Encode(5))) {
		ack.Reason = "" // [MQTT-3.1.2-29], [MQTT-3.2.2-19]
	}
	c.reply(ack.Encode(c.version))
	return fmt.Errorf("%w: %w", errRefused, why)
}

// unacceptable answers a CONNECT that breaks the protocol, where MQTT has an answer.
// [MQTT-3.1.4-1], [MQTT-3.2.2-7]
func (c *conn) unacceptable(version byte, v *mqtt.Violation) error {
	c.explains(v.Code)
	old := v.Code == mqtt.UnsupportedVersion || v.Code == mqtt.InvalidClientID
	if v.Code != mqtt.Success && version > 0 && (version >= 5 || old) {
		ack := mqtt.ConnackPacket{Code: v.Code}
		c.reply(ack.Encode(version))
	}
	return fmt.Errorf("read CONNECT: %w", v)
}

// nameClient takes the client's version and identifier, and gives the identifier if one
// had to be assigned.
func (c *conn) nameClient(pk *mqtt.ConnectPacket) (assigned string) {
	c.version, c.id = pk.Version, pk.ClientID
	if c.id == "" {
		assigned = strings.ToLower(rand.Text())
		c.id = assigned
	}
	if c.inside() {
		c.id = insideIDs + c.id
	}
	return assigned
}

// insideIDs is before the identifiers of clients that are parts of this program. No other
// client can have one, so none can keep them from connecting.
const insideIDs = "$hub/"

// inside reports whether the client is a part of this program.
func (c *conn) inside() bool { return c.RemoteAddr().Network() == "pipe" }

// admissible takes a CONNECT's terms and says why it is refused, if it is.
func (c *conn) admissible(pk *mqtt.ConnectPacket) (mqtt.Code, error) {
	l := &c.b.limits
	if err := checkText(c.id, l.ClientIDBytes); err != nil {
		return mqtt.InvalidClientID, fmt.Errorf("client identifier: %w", err)
	}
	if !c.inside() && strings.HasPrefix(c.id, insideIDs) {
		return mqtt.InvalidClientID, fmt.Errorf("client identifiers that begin with %s belong to parts of camqtt", insideIDs)
	}
	if c.version < 5 && !pk.Clean && pk.ClientID == "" { // [MQTT-3.1.3-8]
		return mqtt.InvalidClientID, fmt.Errorf("a session to keep, but no identifier")
	}
	if method := pk.Props.AuthenticationMethod; method != "" { // [MQTT-4.12.0-1]
		return mqtt.BadAuthenticationMethod, fmt.Errorf("authentication method %q is not known", method)
	}
	c.terms = termsOf(l, pk)
	c.keepAlive(time.Duration(pk.KeepAlive) * time.Second)
	if err := c.takeWill(pk.Will); err != nil {
		return mqtt.InvalidTopicName, fmt.Errorf("will: %w", err)
	}
	if err := c.vouch(pk.UserName); err != nil {
		return mqtt.BadUserNameOrPassword, err
	}
	return mqtt.Success, nil
}

// keepAlive sets how long the client may be silent [MQTT-3.1.2-22].
func (c *conn) keepAlive(d time.Duration) {
	if most := c.b.limits.Keepalive; c.version == 5 && (d == 0 || d > most) {
		d = most
		c.imposed = uint16(d / time.Second)
	}
	c.in.idle = d * 3 / 2
}

// termsOf reads a CONNECT.
func termsOf(l *Limits, pk *mqtt.ConnectPacket) terms {
	t := terms{version: pk.Version, window: l.Window}
	p := &pk.Props
	if t.version < 5 {
		if !pk.Clean {
			t.expiry = l.SessionExpiry
		}
		return t
	}
	t.max = int(min(p.MaximumPacketSize, 1<<30))
	if p.ReceiveMaximum > 0 {
		t.window = min(t.window, int(p.ReceiveMaximum))
	}
	t.asked = p.SessionExpiry
	t.expiry = min(time.Duration(p.SessionExpiry)*time.Second, l.SessionExpiry)
	return t
}

// takeWill takes the will out of a CONNECT.
func (c *conn) takeWill(w *mqtt.Will) error {
	if w == nil {
		return nil
	}
	if err := checkTopic(w.Topic, &c.b.limits); err != nil {
		return err
	}
	life := w.Props.MessageExpiry
	w.Props.MessageExpiry = 0 // begins when the will is published
	p := mqtt.PublishPacket{Topic: w.Topic, QoS: w.QoS, Retain: w.Retain, Props: &w.Props}
	c.last = &will{m: c.b.message(&p, w.Payload, c.id), delay: time.Duration(w.Props.WillDelay) * time.Second, life: life}
	return nil
}

// connack is the answer to a CONNECT that is accepted. [MQTT-3.2.2]
func (c *conn) connack(present bool, assigned string) mqtt.ConnackPacket {
	ack := mqtt.ConnackPacket{
		SessionPresent: present, AssignedClientID: assigned, ServerKeepAlive: c.imposed,
		ReceiveMaximum: receiveMaximum, TopicAliasMaximum: topicAliases, MaximumPacketSize: uint32(c.b.limits.Packet),
	}
	if got := uint32(c.terms.expiry / time.Second); got != c.terms.asked { // [MQTT-3.2.2-21]
		ack.SessionExpiry, ack.HasSessionExpiry = got, true
	}
	return ack
}
