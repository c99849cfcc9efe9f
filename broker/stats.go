package broker

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"camqtt/internal/wire"
)

// Stats are counters since the start, except where they say "now".
type Stats struct {
	Clients         int64 // connected now
	Sessions        int64 // of connected and absent clients, now
	Accepted        int64 // connections admitted
	Refused         int64 // connections turned away: a cap, CONNECT too late, rights
	Recovered       int64 // panics while a packet was handled, each of which cost one connection
	BytesIn         int64
	BytesOut        int64
	MessagesIn      int64 // publishes, pictures included
	MessagesOut     int64 // messages handed to receivers, pictures included
	MessagesDropped int64 // ordinary messages that found a receiver's line or queue full
	FiltersRefused  int64
	FramesIn        int64 // pictures published: frame, preview and snapshot
	FramesDelivered int64 // pictures written to receivers
	FramesReplaced  int64 // pictures that a newer one replaced before they were written
	Retained        int64 // retained messages now
	RetainedBytes   int64 // their size, now
	RetainedRefused int64 // retained messages there was no room for
	StoreWrites     int64 // files written by the retained store
	StoreErrors     int64
	Cameras         []CameraStats // by id
	Viewers         []ViewerStats // connections that were sent pictures, by client id
}

// CameraStats counts one camera's pictures.
type CameraStats struct {
	ID        string
	In        int64     // pictures
	Bytes     int64     // of those
	Last      time.Time // of the newest picture
	Delivered int64     // pictures written to receivers
	BytesOut  int64     // of those, with their heads
	Replaced  int64     // pictures that a newer one replaced before they were written
}

// ViewerStats counts one connection's pictures.
type ViewerStats struct {
	Client    string
	Remote    string
	Delivered int64
	Replaced  int64
	Waiting   int // pictures waiting now
	BytesOut  int64
	Since     time.Time
}

// counters are what Stats is made of.
type counters struct {
	accepted, refused, recovered                       atomic.Int64
	bytesIn, packetsIn, messagesIn                     atomic.Int64
	bytesOut, messagesOut, dropped, refusedFilters     atomic.Int64
	framesIn, delivered, replaced                      atomic.Int64
	retainedRefused, storeWrites, storeErrors, clients atomic.Int64
	mostClients                                        atomic.Int64
}

// joined counts a client that has connected.
func (c *counters) joined() {
	n := c.clients.Add(1)
	for most := c.mostClients.Load(); n > most && !c.mostClients.CompareAndSwap(most, n); {
		most = c.mostClients.Load()
	}
}

// camera counts one camera's pictures.
type camera struct {
	id        string
	in, bytes atomic.Int64
	last      atomic.Int64 // Unix nanoseconds

	delivered, sent, replaced atomic.Int64
}

// Sent counts a picture that was written to a receiver. A nil camera is not counted.
func (c *camera) Sent(bytes int) {
	if c != nil {
		c.delivered.Add(1)
		c.sent.Add(int64(bytes))
	}
}

// Replaced counts a picture that a newer one has replaced.
func (c *camera) Replaced() {
	if c != nil {
		c.replaced.Add(1)
	}
}

// cameras are those that sent a picture lately.
type cameras struct {
	mu sync.RWMutex
	m  map[string]*camera
}

// maxCameras bounds the counters that publishers can make the broker keep; pictures
// of further cameras are delivered but not counted one by one.
const maxCameras = 4096

// get gives the counters of a camera; nil when there are too many.
func (cs *cameras) get(id string) *camera {
	cs.mu.RLock()
	c := cs.m[id]
	cs.mu.RUnlock()
	if c != nil {
		return c
	}
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if c = cs.m[id]; c == nil && len(cs.m) < maxCameras {
		c = &camera{id: strings.Clone(id)}
		cs.m[c.id] = c
	}
	return c
}

// forget drops cameras that sent nothing since t.
func (cs *cameras) forget(t time.Time) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	for id, c := range cs.m {
		if c.last.Load() < t.UnixNano() {
			delete(cs.m, id)
		}
	}
}

// packet counts a packet that was received.
func (c *counters) packet(bytes int) {
	c.bytesIn.Add(int64(bytes))
	c.packetsIn.Add(1)
}

// Stats gives the counters as they are now. It may be called at any time.
func (b *Broker) Stats() Stats {
	n, bytes := b.retained.size()
	s := Stats{
		Clients:         b.count.clients.Load(),
		Sessions:        int64(len(b.sessions.all())),
		Accepted:        b.count.accepted.Load(),
		Refused:         b.count.refused.Load(),
		Recovered:       b.count.recovered.Load(),
		BytesIn:         b.count.bytesIn.Load(),
		BytesOut:        b.count.bytesOut.Load(),
		MessagesIn:      b.count.messagesIn.Load(),
		MessagesOut:     b.count.messagesOut.Load(),
		MessagesDropped: b.count.dropped.Load(),
		FiltersRefused:  b.count.refusedFilters.Load(),
		FramesIn:        b.count.framesIn.Load(),
		FramesDelivered: b.count.delivered.Load(),
		FramesReplaced:  b.count.replaced.Load(),
		Retained:        int64(n),
		RetainedBytes:   int64(bytes),
		RetainedRefused: b.count.retainedRefused.Load(),
		StoreWrites:     b.count.storeWrites.Load(),
		StoreErrors:     b.count.storeErrors.Load(),
	}
	b.cameras.mu.RLock()
	for _, c := range b.cameras.m {
		s.Cameras = append(s.Cameras, CameraStats{
			ID: c.id, In: c.in.Load(), Bytes: c.bytes.Load(), Last: time.Unix(0, c.last.Load()),
			Delivered: c.delivered.Load(), BytesOut: c.sent.Load(), Replaced: c.replaced.Load(),
		})
	}
	b.cameras.mu.RUnlock()
	slices.SortFunc(s.Cameras, func(x, y CameraStats) int { return strings.Compare(x.ID, y.ID) })
	for _, c := range b.conns.list() {
		if v, ok := viewerStats(c); ok {
			s.Viewers = append(s.Viewers, v)
		}
	}
	slices.SortFunc(s.Viewers, func(x, y ViewerStats) int { return strings.Compare(x.Client, y.Client) })
	return s
}

// viewerStats gives the counters of a connection that was sent pictures.
func viewerStats(c *conn) (ViewerStats, bool) {
	if !c.established.Load() {
		return ViewerStats{}, false
	}
	v := ViewerStats{
		Client: c.id, Remote: c.RemoteAddr().String(), Since: c.opened,
		Delivered: c.counts.delivered.Load(), Replaced: c.counts.replaced.Load(), BytesOut: c.counts.bytesOut.Load(),
		Waiting: c.send.Pictures(),
	}
	return v, v.Delivered+v.Replaced+int64(v.Waiting) > 0
}

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
