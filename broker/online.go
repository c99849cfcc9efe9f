package broker

import (
	"strings"

	"camqtt/internal/wire"
)

// StoreFailing reports whether the last write of retained messages failed.
func (b *Broker) StoreFailing() bool { return b.storeFailing.Load() }

// Online returns the cameras that are online or asleep, in the order of their ids.
func (b *Broker) Online() []wire.ID {
	var ids []wire.ID
	for _, topic := range b.retained.topics(b.base + "/+/" + string(wire.KindStatus)) {
		id, _, _ := strings.Cut(topic[len(b.base)+1:], "/")
		switch b.retained.payload(topic) {
		case "online", "sleeping":
			ids = append(ids, wire.ID(id))
		}
	}
	return ids
}
