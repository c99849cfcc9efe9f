package broker

import "bytes"

// item is one packet on its way out.
type item struct {
	topic    string // of a picture; one waits per topic. Empty: an ordinary packet
	kind     kind
	cam      *camera // whose picture
	head     []byte  // everything before the payload, or a whole packet
	load     *load   // the payload, held while the item waits
	account  string  // of the publisher of a message that may be left out
	bare     bool    // already framed
	borrowed bool    // head belongs to the caller and must be copied to be kept
}

func (it *item) body() []byte {
	if it.load == nil {
		return nil
	}
	return it.load.b
}

func (it *item) size() int { return len(it.head) + len(it.body()) }

// rule says what happens to an item that finds no room.
type rule byte

const (
	needed      rule = iota // the connection is closed: the client cannot do without it
	droppable               // it is left out
	newest                  // a picture: it replaces the one of the same topic
	unlessNewer             // a retained picture: one that waits already is newer
)

// enqueue puts an item in line. The caller holds out.mu.
func (c *conn) enqueue(it item, r rule) bool {
	o := &c.out
	switch r {
	case unlessNewer:
		if _, waiting := o.pictures[it.topic]; waiting {
			return true
		}
		return c.enqueuePicture(it)
	case newest:
		return c.enqueuePicture(it)
	}
	// Answers and acknowledged messages are bounded where they are made.
	full := o.bytes > 0 && o.bytes+it.size() > 4*c.b.limits.SendBytes
	if r == droppable {
		full = o.bytes > 0 && !o.shares.room(&it, c.b.limits.SendBytes-o.bytes)
	}
	if full {
		c.dropped.Add(1)
		c.b.count.dropped.Add(1)
		return false
	}
	it.keep()
	o.bytes += it.size()
	o.shares.add(&it, it.size())
	o.shrink()
	o.queue = append(o.queue, it)
	return true
}

func (c *conn) enqueuePicture(it item) bool {
	o := &c.out
	at, waiting := o.pictures[it.topic]
	if waiting {
		old := &o.queue[at-o.removed]
		c.gaveWay(old)
		it.keep()
		old.load.drop()
		// Frames and previews keep their place, so that no camera can push another
		// one's picture back for ever. A snapshot goes to the end, because what
		// announces it has just been put there.
		if it.kind != snapshot {
			*old = it
			return true
		}
		*old = item{}
	} else {
		if len(o.pictures) >= c.b.limits.Pictures {
			c.dropped.Add(1)
			c.b.count.dropped.Add(1)
			return false
		}
		it.keep()
	}
	if o.pictures == nil {
		o.pictures = make(map[string]int)
	}
	o.shrink()
	o.pictures[it.topic] = o.removed + len(o.queue)
	o.queue = append(o.queue, it)
	return true
}

// gaveWay counts a picture that a newer one has replaced.
func (c *conn) gaveWay(it *item) {
	c.replaced.Add(1)
	c.b.count.replaced.Add(1)
	if it.cam != nil {
		it.cam.replaced.Add(1)
	}
}

// shrink gives up the room of what has gone, so that the line costs what waits in it and
// not what has ever passed. Where it does, more than half of the line has gone since the
// last time: an item is moved less than once. The caller holds mu.
func (o *outbound) shrink() {
	const few = 32 // not worth it
	if o.first < few || o.first < len(o.queue)/2 {
		return
	}
	rest := o.queue[o.first:]
	if cap(o.queue) > 4*len(rest)+few {
		o.queue = append(make([]item, 0, 2*len(rest)+few), rest...)
	} else {
		n := copy(o.queue, rest)
		clear(o.queue[n:])
		o.queue = o.queue[:n]
	}
	o.removed += o.first
	o.first = 0
}

// keep makes an item outlive the call that brought it.
func (it *item) keep() {
	if it.borrowed {
		it.head, it.borrowed = bytes.Clone(it.head), false
	}
	it.load.hold()
}

// next takes the first item out of the line. The caller holds out.mu.
func (c *conn) next() (item, bool) {
	o := &c.out
	for o.first < len(o.queue) {
		it := o.queue[o.first]
		o.queue[o.first] = item{}
		o.first++
		if it.head == nil {
			continue // a snapshot that was replaced further back
		}
		if it.topic != "" {
			delete(o.pictures, it.topic)
		} else {
			o.bytes -= it.size()
			o.shares.add(&it, -it.size())
			if o.room != nil {
				close(o.room)
				o.room = nil
			}
		}
		return it, true
	}
	o.removed += len(o.queue)
	o.queue, o.first = nil, 0
	return item{}, false
}

// unnext puts an item back that could not be written at all, unless a newer picture
// has come meanwhile. The caller holds out.mu and gives up its hold on the load.
func (c *conn) unnext(it item) {
	o := &c.out
	if it.topic != "" {
		_, newer := o.pictures[it.topic]
		if newer || o.closed {
			it.load.drop()
			if newer {
				c.gaveWay(&it)
			}
			return
		}
	}
	if o.first == 0 {
		o.queue = append([]item{{}}, o.queue...)
		o.first, o.removed = 1, o.removed-1
	}
	o.first--
	o.queue[o.first] = it
	if it.topic == "" {
		o.bytes += it.size()
		o.shares.add(&it, it.size())
		return
	}
	if o.pictures == nil {
		o.pictures = make(map[string]int)
	}
	o.pictures[it.topic] = o.removed + o.first
}

// dropPictures lets go of every picture in line. The caller holds out.mu.
func (c *conn) dropPictures() {
	o := &c.out
	for topic, at := range o.pictures {
		o.queue[at-o.removed].load.drop()
		o.queue[at-o.removed] = item{}
		delete(o.pictures, topic)
	}
}

// roomy waits until few enough ordinary bytes are in line for more to be added. Nobody
// that serves another client may call it. false: closed.
func (c *conn) roomy() bool {
	o := &c.out
	for {
		o.mu.Lock()
		if o.closed || o.bytes <= c.b.limits.SendBytes/2 {
			open := !o.closed
			o.mu.Unlock()
			return open
		}
		if o.room == nil {
			o.room = make(chan struct{})
		}
		room := o.room
		o.mu.Unlock()
		<-room
	}
}

// full reports whether ordinary packets are piling up.
func (c *conn) full() bool {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	return c.out.bytes > c.b.limits.SendBytes/2
}
