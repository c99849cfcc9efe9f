package broker

import (
	"errors"
	"fmt"
	"strings"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// errRefused is how a connection ends whose CONNECT was answered with a refusal.
var errRefused = errors.New("connection refused")

// connect takes CONNECT: it decides who the client is and whether it may have what it
// asks for, gives it its session and answers. Afterwards it is established.
func (c *conn) connect(first byte, hl, n int) error {
	body, err := c.in.whole(c, hl, n)
	if err != nil {
		return err
	}
	c.connecting.Store(true)
	if version, bad := vetConnect(first, body); bad != nil {
		return c.unacceptable(version, bad)
	}
	var pk packets.Packet
	pk.FixedHeader = packets.FixedHeader{Type: packets.Connect, Remaining: n}
	if err := pk.ConnectDecode(body); err != nil {
		return fmt.Errorf("read CONNECT: %w", err)
	}
	c.newClient(&pk)
	if code, err := c.admissible(&pk); err != nil {
		return c.refuse(code, err)
	}
	if code, err := c.identified(&pk); err != nil {
		return c.refuse(code, err)
	}
	present, err := c.b.enter(c, pk.Connect.Clean)
	if err != nil {
		return c.refuse(noEntry(err), err)
	}
	c.b.count.joined() // before the answer: a client that has it is one of those connected
	err = c.b.engine.SendConnack(c.client, packets.CodeSuccess, present, nil)
	if err == nil { // before anybody can take the session over, who is to be told of it
		c.established.Store(true)
	} else {
		c.b.count.clients.Add(-1)
	}
	c.b.stepIn(c)
	if err != nil {
		return fmt.Errorf("answer CONNECT: %w", err)
	}
	if c.b.lapsed(c.who, c.id) { // since it came in
		c.revoked()
		return errDone
	}
	c.in.limit = true
	c.session.resume(c, c.terms)
	c.b.fans.forget(filtersOf(c.client))
	return nil
}

// noEntry gives the answer to a client that got no session.
func noEntry(err error) packets.Code {
	switch {
	case errors.Is(err, errTaken):
		return packets.ErrClientIdentifierNotValid
	case errors.Is(err, errAllReserved):
		return packets.ErrServerBusy
	}
	return packets.ErrQuotaExceeded
}

// refuse answers CONNECT with a reason.
func (c *conn) refuse(code packets.Code, why error) error {
	c.explains(code)
	c.b.log.client(c, "connection refused", "why", why)
	if c.version < 5 { // the engine does not tell a wrong password from a missing right
		c.push(item{head: []byte{packets.Connack << 4, 2, 0, v3Code(code.Code)}}, needed)
	} else {
		_ = c.b.engine.SendConnack(c.client, code, false, nil)
	}
	return fmt.Errorf("%w: %w", errRefused, why)
}

// newClient makes what the engine knows of a connection. It is not told of the will, of
// session expiry, of what is on its way or of aliases: those are kept here.
func (c *conn) newClient(pk *packets.Packet) {
	cl := c.b.engine.NewClient(c, engineListener, "", false)
	bare := *pk
	bare.Connect.WillFlag = false
	bare.Connect.Keepalive = max(bare.Connect.Keepalive, 60) // or it complains about short ones
	cl.ParseConnect(engineListener, bare)
	p := &cl.Properties.Props
	cl.ID = strings.Clone(cl.ID) // everything it took from the packet would keep all of it
	cl.Properties.Username = nil
	cl.Properties.Props = packets.Properties{
		MaximumPacketSize:  p.MaximumPacketSize,
		RequestProblemInfo: p.RequestProblemInfo, RequestProblemInfoFlag: p.RequestProblemInfoFlag,
		AssignedClientID: cl.ID,
	}
	if pk.Connect.ClientIdentifier != "" {
		cl.Properties.Props.AssignedClientID = ""
	}
	if c.inside() {
		cl.ID = insideIDs + cl.ID
	}
	cl.State.TopicAliases.Outbound = mqtt.NewOutboundTopicAliases(0)
	c.client, c.version, c.id = cl, pk.ProtocolVersion, cl.ID
}

// insideIDs is before the identifiers of clients that are parts of this program. No other
// client can have one, so none can keep them from connecting.
const insideIDs = "$hub/"

// inside reports whether the client is a part of this program.
func (c *conn) inside() bool { return c.RemoteAddr().Network() == "pipe" }

// admissible takes a CONNECT's terms and says why it is refused, if it is.
func (c *conn) admissible(pk *packets.Packet) (packets.Code, error) {
	l := &c.b.limits
	if err := checkText(c.id, l.ClientIDBytes); err != nil {
		return packets.ErrClientIdentifierNotValid, fmt.Errorf("client identifier: %w", err)
	}
	if !c.inside() && strings.HasPrefix(c.id, insideIDs) {
		return packets.ErrClientIdentifierNotValid, fmt.Errorf("client identifiers that begin with %s belong to parts of camqtt", insideIDs)
	}
	if c.version < 5 && !pk.Connect.Clean && pk.Connect.ClientIdentifier == "" { // [MQTT-3.1.3-8]
		return packets.ErrClientIdentifierNotValid, fmt.Errorf("a session to keep, but no identifier")
	}
	if pk.Properties.AuthenticationMethod != "" { // [MQTT-4.12.0-1]
		return packets.ErrBadAuthenticationMethod, fmt.Errorf("authentication method %q is not known", pk.Properties.AuthenticationMethod)
	}
	c.terms = termsOf(l, pk)
	c.keepAlive(time.Duration(pk.Connect.Keepalive) * time.Second)
	if err := c.takeWill(pk); err != nil {
		return packets.ErrTopicNameInvalid, fmt.Errorf("will: %w", err)
	}
	if err := c.vouch(pk); err != nil {
		return packets.ErrBadUsernameOrPassword, err
	}
	return packets.CodeSuccess, nil
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
		t.asked = p.SessionExpiryInterval
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

// connack makes CONNACK say what is so. [MQTT-3.2.2]
func (c *conn) connack(pk *packets.Packet) {
	old := c.version < 5
	if c.version == 3 {
		pk.SessionPresent = false // there the byte is reserved
	}
	if old {
		pk.ReasonCode = v3Code(pk.ReasonCode)
	}
	if old || pk.ReasonCode != 0 {
		return
	}
	p := &pk.Properties
	p.TopicAliasMaximum = topicAliases
	p.ServerKeepAlive, p.ServerKeepAliveFlag = c.imposed, c.imposed > 0
	p.MaximumPacketSize = uint32(c.b.limits.Packet)
	if got := uint32(c.terms.expiry / time.Second); got != c.terms.asked { // [MQTT-3.2.2-21]
		p.SessionExpiryInterval, p.SessionExpiryIntervalFlag = got, true
	}
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

// unacceptable answers a CONNECT that breaks the protocol, where MQTT has an answer.
// [MQTT-3.1.4-1], [MQTT-3.2.2-7]
func (c *conn) unacceptable(version byte, v *violation) error {
	c.explains(v.code)
	switch {
	case v.code.Code == 0:
	case version >= 5:
		c.push(item{head: []byte{packets.Connack << 4, 3, 0, v.code.Code, 0}}, needed)
	case version > 0 && v.code == packets.ErrUnsupportedProtocolVersion, v.code == packets.ErrClientIdentifierNotValid:
		c.push(item{head: []byte{packets.Connack << 4, 2, 0, v3Code(v.code.Code)}}, needed)
	}
	return fmt.Errorf("read CONNECT: %w", v)
}
