package sendqueue

// Limits bounds what waits for one connection.
type Limits struct {
	Bytes    int // of ordinary packets
	Pictures int // topics of pictures
}

// queue holds the packets that wait for one connection, in their order.
type queue struct {
	limits Limits
	events Events

	packets  []Packet
	first    int            // packets[first:] waits
	removed  int            // packets removed from the front for good
	pictures map[string]int // topic -> removed + index in packets
	bytes    int            // of ordinary packets that wait
	shares   shares         // of those, what each account has published
}

// put adds a packet. false: there is no room.
func (q *queue) put(p Packet, r Rule) bool {
	switch r {
	case UnlessNewer:
		if _, waiting := q.pictures[p.Topic]; waiting {
			return true
		}
		return q.putPicture(p)
	case Newest:
		return q.putPicture(p)
	}
	// Answers and acknowledged messages are bounded where they are made.
	full := q.bytes > 0 && q.bytes+p.size() > 4*q.limits.Bytes
	if r == Droppable {
		full = q.bytes > 0 && !q.shares.room(&p, q.limits.Bytes-q.bytes)
	}
	if full {
		q.events.Dropped()
		return false
	}
	p.keep()
	q.count(&p, p.size())
	q.shrink()
	q.packets = append(q.packets, p)
	return true
}

// count notes that so many more bytes of an ordinary packet wait.
func (q *queue) count(p *Packet, n int) {
	q.bytes += n
	q.shares.add(p, n)
}

func (q *queue) putPicture(p Packet) bool {
	at, waiting := q.pictures[p.Topic]
	switch {
	case waiting:
		old := &q.packets[at-q.removed]
		q.replaced(old)
		p.keep()
		old.Payload.Release()
		// A picture keeps its place, so that no camera can push another one's picture back
		// for ever. A snapshot goes to the end, because what announces it was just put there.
		if !p.AtEnd {
			*old = p
			return true
		}
		*old = Packet{}
	case len(q.pictures) >= q.limits.Pictures:
		q.events.Dropped()
		return false
	default:
		p.keep()
	}
	q.shrink()
	q.note(p.Topic, len(q.packets))
	q.packets = append(q.packets, p)
	return true
}

// note remembers where a topic's picture is.
func (q *queue) note(topic string, index int) {
	if q.pictures == nil {
		q.pictures = make(map[string]int)
	}
	q.pictures[topic] = q.removed + index
}

// replaced counts a picture that a newer one has replaced.
func (q *queue) replaced(p *Packet) {
	q.events.Replaced()
	if p.Counter != nil {
		p.Counter.Replaced()
	}
}

// shrink gives up the room of what has gone, so that the queue costs what waits in it and
// not what has ever passed. Where it does, more than half of the queue has gone since the
// last time: a packet is moved less than once.
func (q *queue) shrink() {
	const few = 32 // not worth it
	if q.first < few || q.first < len(q.packets)/2 {
		return
	}
	rest := q.packets[q.first:]
	if cap(q.packets) > 4*len(rest)+few {
		q.packets = append(make([]Packet, 0, 2*len(rest)+few), rest...)
	} else {
		n := copy(q.packets, rest)
		clear(q.packets[n:])
		q.packets = q.packets[:n]
	}
	q.removed += q.first
	q.first = 0
}

// empty reports whether nothing waits.
func (q *queue) empty() bool { return q.first >= len(q.packets) }

// next takes out the first packet.
func (q *queue) next() (Packet, bool) {
	for !q.empty() {
		p := q.packets[q.first]
		q.packets[q.first] = Packet{}
		q.first++
		if p.Head == nil {
			continue // a picture that was replaced further back, or dropped
		}
		if p.Topic != "" {
			delete(q.pictures, p.Topic)
		} else {
			q.count(&p, -p.size())
		}
		return p, true
	}
	q.removed += len(q.packets)
	q.packets, q.first = nil, 0
	return Packet{}, false
}

// putBack puts a packet back that could not be written at all, unless a newer picture has
// come meanwhile or, of pictures, the queue is closed. The packet was held by its taker.
func (q *queue) putBack(p Packet, closed bool) {
	if p.Topic != "" {
		_, newer := q.pictures[p.Topic]
		if newer || closed {
			p.Payload.Release()
			if newer {
				q.replaced(&p)
			}
			return
		}
	}
	if q.first == 0 {
		q.packets = append([]Packet{{}}, q.packets...)
		q.first, q.removed = 1, q.removed-1
	}
	q.first--
	q.packets[q.first] = p
	if p.Topic == "" {
		q.count(&p, p.size())
		return
	}
	q.note(p.Topic, q.first)
}

// dropPictures lets go of every picture.
func (q *queue) dropPictures() {
	for topic, at := range q.pictures {
		q.packets[at-q.removed].Payload.Release()
		q.packets[at-q.removed] = Packet{}
		delete(q.pictures, topic)
	}
}
