package broker

import "time"

// push hands over one packet without blocking. The caller keeps its own hold on the
// load. false: it was not taken.
func (c *conn) push(it item, r rule) bool {
	o := &c.out
	o.mu.Lock()
	if o.closed {
		o.mu.Unlock()
		return false
	}
	if o.busy || c.try == nil {
		ok := c.enqueue(it, r)
		if ok && !o.busy {
			c.begin()
			go c.drain() // ends when nothing waits or the connection fails; out.writers waits
		}
		o.mu.Unlock()
		if !ok && r == needed {
			c.fail(errFull)
		}
		return ok
	}
	c.begin()
	o.mu.Unlock()
	return c.direct(it)
}

func (c *conn) begin() {
	c.out.busy = true
	c.out.writers.Add(1)
}

// frameHead gives what must precede an item on the line. out.head is the writer's.
func (c *conn) frameHead(it *item) []byte {
	if c.framed == nil || it.bare {
		return nil
	}
	return c.framed.AppendHead(c.out.head[:0], it.size())
}

// direct tries to write at once, in the caller's goroutine; what the socket does not
// take is left to a goroutine. The caller has begun.
func (c *conn) direct(it item) bool {
	parts := [3][]byte{c.frameHead(&it), it.head, it.body()}
	n, err := c.try.write(parts)
	if err != nil {
		c.fail(err)
		c.finish()
		return false
	}
	switch size := len(parts[0]) + it.size(); n {
	case size:
		c.sent(&it, size)
		c.finish()
	case 0:
		it.keep()
		c.out.mu.Lock()
		c.unnext(it)
		c.out.mu.Unlock()
		go c.drain() // ends when nothing waits or the connection fails; out.writers waits
	default:
		it.keep()
		parts[1] = it.head // keep may have copied it
		c.out.partial, c.out.holding, c.out.holdingSize = rest(parts, n), it, size
		go c.drain() // ends when nothing waits or the connection fails; out.writers waits
	}
	return true
}

// finish gives up the line. What came meanwhile goes to a goroutine.
func (c *conn) finish() {
	o := &c.out
	o.mu.Lock()
	if o.first < len(o.queue) {
		o.mu.Unlock()
		go c.drain() // ends when nothing waits or the connection fails; out.writers waits
		return
	}
	o.busy = false
	if o.closed {
		c.hangUp()
	} else if o.armed { // a deadline left behind would fail the next try
		o.armed = false
		_ = c.line.SetWriteDeadline(time.Time{})
	}
	o.mu.Unlock()
	o.writers.Done()
}

// drain writes until nothing waits: the rest of a packet first, then the line.
func (c *conn) drain() {
	o := &c.out
	for {
		if len(o.partial) > 0 {
			err := c.writeAll(o.partial...)
			it := o.holding
			o.partial, o.holding = nil, item{}
			if err != nil {
				it.load.drop()
				c.fail(err)
				break
			}
			c.sent(&it, o.holdingSize)
			it.load.drop()
		}
		o.mu.Lock()
		it, ok := c.next()
		o.mu.Unlock()
		if !ok {
			break
		}
		if err := c.write(it); err != nil {
			c.fail(err)
			break
		}
	}
	c.finish()
}

// write puts one item on the line, or as much as goes, and gives up its load.
func (c *conn) write(it item) error {
	parts := [3][]byte{c.frameHead(&it), it.head, it.body()}
	size := len(parts[0]) + it.size()
	if c.try == nil {
		err := c.writeBlocking(parts)
		if err == nil {
			c.sent(&it, size)
		}
		it.load.drop()
		return err
	}
	c.arm()
	n, err := c.try.write(parts)
	switch {
	case err != nil:
		it.load.drop()
		return err
	case n == size:
		c.sent(&it, size)
		it.load.drop()
		return nil
	case n > 0:
		c.out.partial, c.out.holding, c.out.holdingSize = rest(parts, n), it, size
		return nil
	}
	c.out.mu.Lock()
	c.unnext(it)
	c.out.mu.Unlock()
	// Which picture goes next is chosen only when the socket takes bytes again.
	return c.try.ready()
}

// writeBlocking writes to a line that knows no gathering: the first write takes the
// heads and as much payload as fits in one TLS record, so that a picture costs no
// extra record for its head.
func (c *conn) writeBlocking(parts [3][]byte) error {
	const record = 16 << 10
	if len(parts[0])+len(parts[2]) == 0 {
		return c.writeAll(parts[1])
	}
	head := len(parts[0]) + len(parts[1])
	k := min(max(record-head, 0), len(parts[2]))
	space := c.b.space()
	defer c.b.records.Put(space)
	first := append(append(append((*space)[:0], parts[0]...), parts[1]...), parts[2][:k]...)
	*space = first
	return c.writeAll(first, parts[2][k:])
}

// writeAll writes in pieces, each of which has WriteTimeout: a line may be slow, but it
// must move.
func (c *conn) writeAll(bufs ...[]byte) error {
	for _, b := range bufs {
		for len(b) > 0 {
			piece := b[:min(len(b), unsentBytes)]
			c.arm()
			if err := c.writePiece(piece); err != nil {
				return err
			}
			b = b[len(piece):]
		}
	}
	return nil
}

func (c *conn) writePiece(piece []byte) error {
	if c.gather != nil {
		return c.writeGathered(c.gather, piece)
	}
	_, err := c.line.Write(piece)
	return err
}

// arm sets the deadline of the next blocking write.
func (c *conn) arm() {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	by := c.out.flushBy
	c.out.armed = true
	if !c.out.closed {
		by = time.Now().Add(c.b.limits.WriteTimeout)
	}
	_ = c.line.SetWriteDeadline(by)
}

func (c *conn) sent(it *item, size int) {
	c.bytesOut.Add(int64(size))
	c.b.count.bytesOut.Add(int64(size))
	if it.topic != "" {
		c.delivered.Add(1)
		c.b.count.delivered.Add(1)
		if it.cam != nil {
			it.cam.delivered.Add(1)
			it.cam.sent.Add(int64(size))
		}
	}
}

// fail ends the connection because it takes no more; nothing more is written.
func (c *conn) fail(err error) {
	o := &c.out
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.closed {
		if !wentAway(err) {
			c.b.log.client(c, "connection does not take what it is sent", "err", err)
		}
		c.shut()
	}
	for it, ok := c.next(); ok; it, ok = c.next() {
		it.load.drop()
	}
	c.hangUp()
}

// hangUp closes what is beneath, once. The caller holds out.mu.
func (c *conn) hangUp() {
	if !c.out.hungUp {
		c.out.hungUp = true
		if !c.halfClose() {
			_ = c.raw.Close()
		}
	}
}

// rest gives what remains of parts after n bytes.
func rest(parts [3][]byte, n int) [][]byte {
	out := make([][]byte, 0, len(parts))
	for _, p := range parts {
		if n >= len(p) {
			n -= len(p)
			continue
		}
		out = append(out, p[n:])
		n = 0
	}
	return out
}
