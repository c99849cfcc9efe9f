package broker

import (
	"strings"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"camqtt/internal/access"
)

// retainedAsk is one accepted filter whose retained messages are still to be sent.
type retainedAsk struct {
	filter string
	qos    byte
	ids    []int
	index  int // in the SUBSCRIBE
}

// OnSubscribe checks every filter's form and the session's quota. A filter that is
// refused here is emptied, which the engine refuses, and gets its reason in
// OnPacketEncode. The engine is told to send no retained messages: it would send
// them behind the back of the order kept here.
func (h *hook) OnSubscribe(cl *mqtt.Client, pk packets.Packet) packets.Packet {
	c, ok := cl.Net.Conn.(*conn)
	if !ok {
		return pk
	}
	l := &h.b.limits
	c.verdicts, c.asked = make([]byte, len(pk.Filters)), nil
	held := cl.State.Subscriptions.Len()
	most := h.b.mostFilters(c, held+len(pk.Filters))
	twice := make(map[string]bool, len(pk.Filters)) // in this packet
	for i := range pk.Filters {
		f := &pk.Filters[i]
		err := checkFilter(f.Filter, l)
		_, existed := cl.State.Subscriptions.Get(f.Filter)
		existed = existed || twice[f.Filter]
		switch {
		case err != nil:
			h.refuseFilter(c, f, i, packets.ErrTopicFilterInvalid)
			continue
		case !existed && held >= most:
			h.refuseFilter(c, f, i, packets.ErrQuotaExceeded)
			continue
		case !existed:
			held++
		}
		f.Filter = strings.Clone(f.Filter)
		twice[f.Filter] = true
		_, _, shared := access.Share(f.Filter)
		if !shared && (f.RetainHandling == 0 || f.RetainHandling == 1 && !existed) { // [MQTT-3.3.1-9] to 11
			c.asked = append(c.asked, retainedAsk{filter: f.Filter, qos: f.Qos, ids: identifiers(*f), index: i})
		}
		f.RetainHandling = 2
	}
	return pk
}

func (h *hook) refuseFilter(c *conn, f *packets.Subscription, i int, code packets.Code) {
	f.Filter = ""
	if c.version == 5 {
		c.verdicts[i] = code.Code
	}
	h.b.count.refusedFilters.Add(1)
	h.b.log.trouble("subscription refused", "client", c.id, "why", code.Reason)
}

// OnSubscribed forgets the asks whose filter was refused after all.
func (h *hook) OnSubscribed(cl *mqtt.Client, pk packets.Packet, codes []byte) {
	c, ok := cl.Net.Conn.(*conn)
	if !ok {
		return
	}
	kept := c.asked[:0]
	for _, a := range c.asked {
		if a.index < len(codes) && codes[a.index] < packets.ErrUnspecifiedError.Code {
			kept = append(kept, a)
		}
	}
	c.asked = kept
	h.b.fans.forget(named(pk))
}

// named gives the filters of a SUBSCRIBE or UNSUBSCRIBE.
func named(pk packets.Packet) []string {
	filters := make([]string, len(pk.Filters))
	for i := range pk.Filters {
		filters[i] = pk.Filters[i].Filter
	}
	return filters
}

// OnUnsubscribe notes which filters the client does not hold: the engine looks at
// the tree only, where they may be somebody else's. [MQTT-3.11.3-1]
func (h *hook) OnUnsubscribe(cl *mqtt.Client, pk packets.Packet) packets.Packet {
	c, ok := cl.Net.Conn.(*conn)
	if !ok {
		return pk
	}
	c.verdicts = make([]byte, len(pk.Filters))
	for i := range pk.Filters {
		// The engine searches the tree by levels, in time that grows with their square.
		if checkFilter(pk.Filters[i].Filter, &h.b.limits) != nil {
			pk.Filters[i].Filter = ""
		}
		if _, held := cl.State.Subscriptions.Get(pk.Filters[i].Filter); !held {
			c.verdicts[i] = packets.CodeNoSubscriptionExisted.Code
		}
	}
	return pk
}

// OnUnsubscribed makes the receivers of the filters' topics be found anew.
func (h *hook) OnUnsubscribed(_ *mqtt.Client, pk packets.Packet) { h.b.fans.forget(named(pk)) }
