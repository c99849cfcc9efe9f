package broker

import (
	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"camqtt/internal/access"
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
	case mqtt.OnACLCheck, mqtt.OnPacketEncode, mqtt.OnPacketProcessed,
		mqtt.OnSubscribe, mqtt.OnSubscribed, mqtt.OnUnsubscribe, mqtt.OnUnsubscribed:
		return true
	}
	return false
}

// OnACLCheck is asked for every filter of a SUBSCRIBE.
func (h *hook) OnACLCheck(cl *mqtt.Client, filter string, write bool) bool {
	c, ok := cl.Net.Conn.(*conn)
	return ok && !write && h.b.allowed(c.who, access.Subscribe, filter)
}

// OnPacketEncode corrects what the engine is about to answer.
func (h *hook) OnPacketEncode(cl *mqtt.Client, pk packets.Packet) packets.Packet {
	c, ok := cl.Net.Conn.(*conn)
	if !ok {
		return pk
	}
	switch pk.FixedHeader.Type {
	case packets.Connack:
		c.connack(&pk)
	case packets.Suback, packets.Unsuback:
		for i, v := range c.verdicts {
			if v != 0 && i < len(pk.ReasonCodes) {
				pk.ReasonCodes[i] = v
			}
		}
		c.verdicts = nil
		pk.Properties.User = nil // the engine sends the client's back to it
	case packets.Disconnect:
		pk.Properties.ReasonString = ""
	}
	return pk
}

// OnPacketProcessed is called after the answer to a packet was written.
func (h *hook) OnPacketProcessed(cl *mqtt.Client, pk packets.Packet, err error) {
	if c, ok := cl.Net.Conn.(*conn); ok && err == nil && pk.FixedHeader.Type == packets.Subscribe {
		c.answerAsked()
	}
}
