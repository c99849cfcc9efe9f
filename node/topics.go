package node

import (
	"log/slog"

	"camqtt/internal/wire"
)

// topics makes the messages of one camera.
type topics struct {
	base wire.Base
	id   wire.ID
	log  *slog.Logger
}

// message fills in QoS and retain flag of a kind: topics.md, the topic table.
func (t topics) message(k wire.Kind, payload []byte) wire.Message {
	m := wire.Message{Topic: t.base.Topic(t.id, k), Payload: payload}
	c := wire.ChannelOf(k)
	m.QoS, m.Retained = c.QoS, c.Retain == wire.Always
	return m
}

// json is message for one of wire's structs.
func (t topics) json(k wire.Kind, v any) wire.Message {
	b, err := wire.JSON(v)
	if err != nil {
		t.log.Error("payload not written", "kind", string(k), "err", err)
	}
	return t.message(k, b)
}

// noPictures clears the pictures that the broker keeps. topics.md: an empty payload means
// that there is no picture. The last is of QoS 1: its acknowledgement covers all of them.
func (t topics) noPictures() []wire.Message {
	var msgs []wire.Message
	for _, k := range []wire.Kind{wire.KindPreview, wire.KindSnapshot, wire.KindMeta} {
		m := t.message(k, nil)
		m.Retained = true
		msgs = append(msgs, m)
	}
	return msgs
}
