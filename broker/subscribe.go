package broker

import (
	"github.com/mochi-mqtt/server/v2/packets"

	"camqtt/internal/access"
	"camqtt/internal/mqtt"
)

// retainedAsk is one accepted filter whose retained messages are still to be sent.
type retainedAsk struct {
	filter string
	qos    byte
	ids    []int
}

// subscribe handles SUBSCRIBE: each filter is granted or refused by itself, then the
// retained messages of those that were granted follow.
func (c *conn) subscribe(body []byte) error {
	pk, bad := mqtt.ParseSubscribe(c.version, body)
	if bad != nil {
		return c.violated(bad)
	}
	most := c.b.mostFilters(c, c.b.subs.count(c.id)+len(pk.Filters))
	codes := make([]mqtt.Code, len(pk.Filters))
	granted := make([]string, 0, len(pk.Filters))
	var asks []retainedAsk
	for i, f := range pk.Filters {
		known := c.b.subs.has(c.id, f.Filter)
		if codes[i] = c.permits(f.Filter, known || c.b.subs.count(c.id) < most); codes[i].Failed() {
			continue
		}
		s := packets.Subscription{
			Filter: f.Filter, Identifier: pk.SubscriptionID,
			Qos: f.QoS, NoLocal: f.NoLocal, RetainAsPublished: f.RetainAsPublished,
		}
		c.b.subs.add(c.id, s)
		granted = append(granted, f.Filter)
		codes[i] = mqtt.Code(f.QoS)
		_, _, shared := mqtt.SplitShared(f.Filter)
		if !shared && (f.RetainHandling == 0 || f.RetainHandling == 1 && !known) { // [MQTT-3.3.1-9] to 11
			asks = append(asks, retainedAsk{filter: f.Filter, qos: f.QoS, ids: identifiers(s)})
		}
	}
	c.b.fans.forget(granted)
	if err := c.answer(mqtt.EncodeSuback(c.version, mqtt.Suback, pk.ID, codes)); err != nil {
		return err
	}
	c.answerAsked(asks)
	return nil
}

// permits decides about one filter.
func (c *conn) permits(filter string, room bool) mqtt.Code {
	code, why := mqtt.Success, ""
	switch {
	case checkFilter(filter, &c.b.limits) != nil:
		code, why = mqtt.InvalidTopicFilter, "topic filter invalid"
	case !room:
		code, why = mqtt.QuotaExceeded, "quota exceeded"
	case !c.b.allowed(c.who, access.Subscribe, filter):
		return mqtt.NotAuthorized
	default:
		return mqtt.Success
	}
	c.b.count.refusedFilters.Add(1)
	c.b.log.trouble("subscription refused", "client", c.id, "why", why)
	return code
}

// unsubscribe handles UNSUBSCRIBE.
func (c *conn) unsubscribe(body []byte) error {
	pk, bad := mqtt.ParseUnsubscribe(c.version, body)
	if bad != nil {
		return c.violated(bad)
	}
	codes := make([]mqtt.Code, len(pk.Filters))
	removed := make([]string, 0, len(pk.Filters))
	for i, f := range pk.Filters {
		if c.b.subs.remove(c.id, f.Filter) {
			removed = append(removed, f.Filter)
		} else {
			codes[i] = mqtt.NoSubscriptionExisted
		}
	}
	c.b.fans.forget(removed)
	return c.answer(mqtt.EncodeSuback(c.version, mqtt.Unsuback, pk.ID, codes))
}

// answer sends an answer whose size depends on the question. [MQTT-3.1.2-24]
func (c *conn) answer(p []byte) error {
	if c.terms.max > 0 && len(p) > c.terms.max {
		return c.violated(&mqtt.Violation{Code: mqtt.PacketTooLarge, Reason: "answer is larger than the client takes"})
	}
	c.reply(p)
	return nil
}
