package broker

import (
	"fmt"

	"camqtt/broker/internal/messagestore"
	"camqtt/broker/internal/sharedbuffer"
	"camqtt/internal/mqtt"
)

// recordOf gives a message as the store keeps it. Its payload is the message's own.
func recordOf(m *message) messagestore.Message {
	r := messagestore.Message{Topic: m.topic, Payload: m.payload.Bytes, Picture: m.kind != ordinary, QoS: m.qos, Expiry: m.expiry}
	if p := m.props; p != nil {
		r.ContentType, r.ResponseTopic, r.Correlation = p.ContentType, p.ResponseTopic, p.CorrelationData
		for _, u := range p.User {
			r.User = append(r.User, messagestore.UserProperty{Key: u.Key, Value: u.Value})
		}
		if p.HasPayloadFormat {
			r.Format = &p.PayloadFormat
		}
	}
	return r
}

// recorded turns a kept message back into one, which it checks as if a client had sent
// it.
func (s *store) recorded(r messagestore.Message) (*message, error) {
	if err := checkTopic(r.Topic, &s.b.limits); err != nil {
		return nil, fmt.Errorf("%w: %w", err, messagestore.ErrDamaged)
	}
	m := &message{topic: r.Topic, qos: r.QoS, retain: true, expiry: r.Expiry, payload: sharedbuffer.Of(r.Payload)}
	_, m.kind = picture(s.b.base, r.Topic)
	switch {
	case r.Picture && (m.kind == ordinary || m.kind == frame):
		return nil, fmt.Errorf("%q is no topic of a retained picture below %q: %w", r.Topic, s.b.base, messagestore.ErrForeign)
	case !r.Picture && m.kind != ordinary:
		return nil, fmt.Errorf("%q is a picture's topic but there is no picture: %w", r.Topic, messagestore.ErrDamaged)
	}
	if r.ContentType != "" || r.ResponseTopic != "" || len(r.Correlation) > 0 || r.Format != nil || len(r.User) > 0 {
		m.props = &mqtt.Properties{ContentType: r.ContentType, ResponseTopic: r.ResponseTopic, CorrelationData: r.Correlation}
		for _, u := range r.User {
			m.props.User = append(m.props.User, mqtt.UserProperty{Key: u.Key, Value: u.Value})
		}
		if r.Format != nil {
			m.props.PayloadFormat, m.props.HasPayloadFormat = *r.Format, true
		}
	}
	return m, nil
}
