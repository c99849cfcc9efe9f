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
func (h *handler) subscribe(body []byte) error {
	pk, bad := mqtt.ParseSubscribe(h.version, body)
	if bad != nil {
		return bad
	}
	most := h.b.sessions.mostFilters(h.conn, h.b.subs.count(h.id)+len(pk.Filters))
	codes := make([]mqtt.Code, len(pk.Filters))
	granted := make([]string, 0, len(pk.Filters))
	var asks []retainedAsk
	for i, f := range pk.Filters {
		known := h.b.subs.has(h.id, f.Filter)
		if codes[i] = h.permits(f.Filter, known || h.b.subs.count(h.id) < most); codes[i].Failed() {
			continue
		}
		s := packets.Subscription{
			Filter: f.Filter, Identifier: pk.SubscriptionID,
			Qos: f.QoS, NoLocal: f.NoLocal, RetainAsPublished: f.RetainAsPublished,
		}
		h.b.subs.add(h.id, s)
		granted = append(granted, f.Filter)
		codes[i] = mqtt.Code(f.QoS)
		_, _, shared := mqtt.SplitShared(f.Filter)
		if !shared && (f.RetainHandling == 0 || f.RetainHandling == 1 && !known) { // [MQTT-3.3.1-9] to 11
			asks = append(asks, retainedAsk{filter: f.Filter, qos: f.QoS, ids: identifiers(s)})
		}
	}
	h.b.router.fanouts.forget(granted)
	if err := h.answer(mqtt.EncodeSuback(h.version, mqtt.Suback, pk.ID, codes)); err != nil {
		return err
	}
	h.replay.start(asks)
	return nil
}

// permits decides about one filter.
func (h *handler) permits(filter string, room bool) mqtt.Code {
	code, why := mqtt.Success, ""
	switch {
	case checkFilter(filter, &h.b.limits) != nil:
		code, why = mqtt.InvalidTopicFilter, "topic filter invalid"
	case !room:
		code, why = mqtt.QuotaExceeded, "quota exceeded"
	case !h.b.rights.allowed(h.who, access.Subscribe, filter):
		return mqtt.NotAuthorized
	default:
		return mqtt.Success
	}
	h.b.count.refusedFilters.Add(1)
	h.b.log.warn("subscription refused", "client", h.id, "why", why)
	return code
}

// unsubscribe handles UNSUBSCRIBE.
func (h *handler) unsubscribe(body []byte) error {
	pk, bad := mqtt.ParseUnsubscribe(h.version, body)
	if bad != nil {
		return bad
	}
	codes := make([]mqtt.Code, len(pk.Filters))
	removed := make([]string, 0, len(pk.Filters))
	for i, f := range pk.Filters {
		if h.b.subs.remove(h.id, f.Filter) {
			removed = append(removed, f.Filter)
		} else {
			codes[i] = mqtt.NoSubscriptionExisted
		}
	}
	h.b.router.fanouts.forget(removed)
	return h.answer(mqtt.EncodeSuback(h.version, mqtt.Unsuback, pk.ID, codes))
}

// answer sends an answer whose size depends on the question. [MQTT-3.1.2-24]
func (h *handler) answer(p []byte) error {
	if h.terms.max > 0 && len(p) > h.terms.max {
		return &mqtt.Violation{Code: mqtt.PacketTooLarge, Reason: "answer is larger than the client takes"}
	}
	h.reply(p)
	return nil
}
