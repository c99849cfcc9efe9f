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

// handshake decides about one CONNECT and answers it.
type handshake struct {
	*conn
	pk mqtt.ConnectPacket
}

// run reads CONNECT, decides who the client is and whether it may have what it
// asks for, gives it its session and answers. Afterwards the connection is established.
func (h *handshake) run(first byte, hl, n int) error {
	body, err := h.in.body(hl, n)
	if err != nil {
		return err
	}
	h.connecting.Store(true)
	var bad *mqtt.Violation
	if h.pk, bad = mqtt.ParseConnect(first, body); bad != nil {
		return h.unacceptable(h.pk.Version, bad)
	}
	assigned := h.nameClient()
	if code, err := h.admissible(); err != nil {
		return h.refuse(code, err)
	}
	if code, err := h.authenticate(); err != nil {
		return h.refuse(code, err)
	}
	h.counted = h.connAccount()
	present, err := h.b.sessions.enter(h.conn, h.pk.Clean)
	if err != nil {
		return h.refuse(sessionRefusal(err), err)
	}
	h.b.count.joined() // before the answer: a client that has it is one of those connected
	ack := h.connack(present, assigned)
	answered := h.reply(ack.Encode(h.version))
	if answered { // before the session can be taken over, of which the client is told
		h.established.Store(true)
	} else {
		h.b.count.clients.Add(-1)
	}
	h.b.sessions.finishEntering(h.conn)
	if !answered {
		return fmt.Errorf("answer CONNECT: %w", net.ErrClosed)
	}
	if h.b.rights.revoked(h.who, h.id) { // since it came in
		h.closeRevoked()
		return errDone
	}
	h.in.connected, h.in.limit = true, true
	h.session.resume(h.conn, h.terms)
	h.b.router.fanouts.forget(h.b.subs.filters(h.id))
	return nil
}

// sessionRefusal gives the answer to a client that got no session.
func sessionRefusal(err error) mqtt.Code {
	switch {
	case errors.Is(err, errTaken):
		return mqtt.InvalidClientID
	case errors.Is(err, errAllReserved):
		return mqtt.ServerBusy
	}
	return mqtt.QuotaExceeded
}

// refuse answers CONNECT with a reason.
func (h *handshake) refuse(code mqtt.Code, why error) error {
	h.explains(code)
	h.b.log.warnClient(h.conn, "connection refused", "why", why)
	ack := mqtt.ConnackPacket{Code: code, Reason: code.String()}
	if p := &h.pk.Props; p.NoProblemInformation || p.MaximumPacketSize > 0 && p.MaximumPacketSize < uint32(len(ack.Encode(5))) {
		ack.Reason = "" // [MQTT-3.1.2-29], [MQTT-3.2.2-19]
	}
	h.reply(ack.Encode(h.version))
	return fmt.Errorf("%w: %w", errRefused, why)
}

// unacceptable answers a CONNECT that breaks the protocol, where MQTT has an answer.
// [MQTT-3.1.4-1], [MQTT-3.2.2-7]
func (h *handshake) unacceptable(version byte, v *mqtt.Violation) error {
	h.explains(v.Code)
	old := v.Code == mqtt.UnsupportedVersion || v.Code == mqtt.InvalidClientID
	if v.Code != mqtt.Success && version > 0 && (version >= 5 || old) {
		ack := mqtt.ConnackPacket{Code: v.Code}
		h.reply(ack.Encode(version))
	}
	return fmt.Errorf("read CONNECT: %w", v)
}

// nameClient takes the client's version and identifier, and gives the identifier if one
// had to be assigned.
func (h *handshake) nameClient() (assigned string) {
	h.version, h.id = h.pk.Version, h.pk.ClientID
	h.in.version = h.version
	if h.id == "" {
		assigned = strings.ToLower(rand.Text())
		h.id = assigned
	}
	if h.inside() {
		h.id = insideIDs + h.id
	}
	return assigned
}

// admissible takes a CONNECT's terms and says why it is refused, if it is.
func (h *handshake) admissible() (mqtt.Code, error) {
	l := &h.b.limits
	if err := checkText(h.id, l.ClientIDBytes); err != nil {
		return mqtt.InvalidClientID, fmt.Errorf("client identifier: %w", err)
	}
	if !h.inside() && strings.HasPrefix(h.id, insideIDs) {
		return mqtt.InvalidClientID, fmt.Errorf("client identifiers that begin with %s belong to parts of camqtt", insideIDs)
	}
	if h.version < 5 && !h.pk.Clean && h.pk.ClientID == "" { // [MQTT-3.1.3-8]
		return mqtt.InvalidClientID, fmt.Errorf("a session to keep, but no identifier")
	}
	if method := h.pk.Props.AuthenticationMethod; method != "" { // [MQTT-4.12.0-1]
		return mqtt.BadAuthenticationMethod, fmt.Errorf("authentication method %q is not known", method)
	}
	h.terms = termsOf(l, &h.pk)
	h.keepAlive(time.Duration(h.pk.KeepAlive) * time.Second)
	if err := h.setWill(h.pk.Will); err != nil {
		return mqtt.InvalidTopicName, fmt.Errorf("will: %w", err)
	}
	if err := h.checkCertificate(h.pk.UserName); err != nil {
		return mqtt.BadUserNameOrPassword, err
	}
	return mqtt.Success, nil
}

// keepAlive sets how long the client may be silent [MQTT-3.1.2-22].
func (h *handshake) keepAlive(d time.Duration) {
	if most := h.b.limits.Keepalive; h.version == 5 && (d == 0 || d > most) {
		d = most
		h.serverKeepAlive = uint16(d / time.Second)
	}
	h.in.idle = d * 3 / 2
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

// setWill takes the will out of a CONNECT.
func (h *handshake) setWill(w *mqtt.Will) error {
	if w == nil {
		return nil
	}
	if err := checkTopic(w.Topic, &h.b.limits); err != nil {
		return err
	}
	life := w.Props.MessageExpiry
	w.Props.MessageExpiry = 0 // begins when the will is published
	p := mqtt.PublishPacket{Topic: w.Topic, QoS: w.QoS, Retain: w.Retain, Props: &w.Props}
	h.last = &will{m: h.b.router.message(&p, w.Payload, h.id), delay: time.Duration(w.Props.WillDelay) * time.Second, life: life}
	return nil
}

// connack is the answer to a CONNECT that is accepted. [MQTT-3.2.2]
func (h *handshake) connack(present bool, assigned string) mqtt.ConnackPacket {
	ack := mqtt.ConnackPacket{
		SessionPresent: present, AssignedClientID: assigned, ServerKeepAlive: h.serverKeepAlive,
		ReceiveMaximum: receiveMaximum, TopicAliasMaximum: topicAliases, MaximumPacketSize: uint32(h.b.limits.Packet),
	}
	if got := uint32(h.terms.expiry / time.Second); got != h.terms.asked { // [MQTT-3.2.2-21]
		ack.SessionExpiry, ack.HasSessionExpiry = got, true
	}
	return ack
}
