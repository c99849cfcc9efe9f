package node

import (
	"context"
	"slices"
	"sync"

	"camqtt/internal/wire"
)

// outbox sends everything but live pictures, in order, and keeps what must not
// get lost until the broker has acknowledged it on one connection. Each item
// ends with a message of QoS 1, whose acknowledgement speaks for those before.
type outbox struct {
	topics
	link  Link
	count *counters
	limit *sizeLimit
	flood *flood
	gate  gate // shared with live: at most one picture is on its way

	mu    sync.Mutex
	queue []delivery
	open  bool
	muted bool          // privacy is on: no picture leaves
	epoch int           // greetings so far: tells this connection from the last
	ring  chan struct{} // rung when there may be something to do
}

func newOutbox(n *Node, g gate) *outbox {
	return &outbox{
		topics: n.topics, link: n.opts.Link, count: &n.count, limit: n.limit, flood: &n.flood,
		gate: g, ring: make(chan struct{}, 1),
	}
}

func (o *outbox) wake() {
	select {
	case o.ring <- struct{}{}:
	default:
	}
}

// greet opens the outbox for a new connection: the greeting goes first, then
// what was kept. Old states are dropped, for the greeting says them.
func (o *outbox) greet(msgs []wire.Message) {
	o.mu.Lock()
	kept := []delivery{{msgs: msgs, state: true, greeting: true}}
	for _, it := range o.queue {
		if it.state {
			it.finish()
			continue
		}
		if it.snapshot != nil {
			it.snapshot.late = true
		}
		kept = append(kept, it)
	}
	o.queue, o.open = kept, true
	o.epoch++
	o.mu.Unlock()
	o.wake()
}

// mute takes the pictures out of what waits, and lets none through until it is
// told otherwise.
func (o *outbox) mute(on bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.muted = on
	if !on {
		return
	}
	o.filter(delivery.private)
}

// filter replaces each delivery that waits by what change returns, or drops it. o.mu is held.
func (o *outbox) filter(change func(delivery) (delivery, bool)) {
	kept := o.queue[:0]
	for _, it := range o.queue {
		if it, ok := change(it); ok {
			kept = append(kept, it)
		} else {
			it.finish()
		}
	}
	clear(o.queue[len(kept):])
	o.queue = kept
}

// refuseLarge takes the pictures out of what waits that are larger than the broker takes,
// and returns the size of the largest of them, 0 for none.
func (o *outbox) refuseLarge() (largest int) {
	most := o.limit.most()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.filter(func(it delivery) (delivery, bool) {
		size := it.size()
		if it.snapshot == nil || size <= most {
			return it, true
		}
		largest = max(largest, size)
		return it.refused(wire.TooLarge, o.limit.text(size))
	})
	return largest
}

// shut keeps the outbox from sending until the next greeting.
func (o *outbox) shut() {
	o.mu.Lock()
	o.open = false
	o.mu.Unlock()
}

// publish queues messages that the next greeting repeats anyway.
func (o *outbox) publish(msgs ...wire.Message) { o.add(delivery{msgs: msgs, state: true}) }

// add queues a delivery; a state that waits is replaced by a newer one of its
// topics, and a state that cannot be sent now is dropped.
func (o *outbox) add(it delivery) {
	o.mu.Lock()
	defer o.mu.Unlock()
	defer o.wake()
	if it.state {
		if !o.open {
			it.finish()
			return
		}
		for i := range o.queue {
			if q := o.queue[i]; q.state && !q.greeting && q.done == nil && slices.EqualFunc(q.msgs, it.msgs, sameTopic) {
				o.queue[i] = it
				return
			}
		}
	}
	if it.snapshot != nil && !o.open {
		it.snapshot.accept()
	}
	o.queue = append(o.queue, it)
	o.bound()
}

func sameTopic(a, b wire.Message) bool { return a.Topic == b.Topic }

// crowded reports whether as many pictures wait on a connection that is up as are kept
// at all: one more would cost another, with the results of its requests.
func (o *outbox) crowded() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.open && o.shots() >= maxHeldPictures
}

// full reports whether as many pictures are kept as may be: one more would cost
// another that has been promised to its sender.
func (o *outbox) full() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.shots() >= maxHeldPictures
}

// shots counts the deliberate pictures that wait.
func (o *outbox) shots() (n int) {
	for _, it := range o.queue {
		if it.deliberate() {
			n++
		}
	}
	return n
}

// room reports whether the results of further commands can wait too.
func (o *outbox) room() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.queue) < maxHeldItems/2
}

// bound drops the oldest of what is kept through an outage, pictures first. Who asked for
// such a picture is told.
func (o *outbox) bound() {
	for shots := o.shots(); shots > maxHeldPictures; shots-- {
		i := slices.IndexFunc(o.queue, delivery.deliberate)
		it, ok := o.queue[i].refused(wire.Timeout, "the picture waited too long for the broker and gave way to newer ones")
		if ok {
			o.queue[i] = it
		} else {
			o.queue[i].finish()
			o.queue = slices.Delete(o.queue, i, i+1)
		}
		o.count.unsent.Add(1)
		o.log.Warn("send queue full, picture dropped")
	}
	for len(o.queue) > maxHeldItems {
		if s := o.queue[0].snapshot; s != nil {
			o.flood.unanswered.Add(uint64(len(s.results)))
		}
		o.queue[0].finish()
		o.queue = slices.Delete(o.queue, 0, 1)
	}
}

// together is how many items go out at once at most: as many are sent again when a
// connection ends before it has acknowledged them.
const together = 64

// next returns what may be sent now, and its connection: the first item, and those
// behind it that need not wait for a picture. One at a time they would each wait for
// the acknowledgement of the one before, which on a slow line comes behind a picture,
// and more would come in than go out.
func (o *outbox) next() (its []delivery, epoch int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.open || len(o.queue) == 0 {
		return nil, 0
	}
	n := 1
	for !o.queue[0].waits() && n < min(len(o.queue), together) && !o.queue[n].waits() {
		n++
	}
	its = slices.Clone(o.queue[:n])
	o.queue = slices.Delete(o.queue, 0, n)
	return its, o.epoch
}

func (o *outbox) serve(ctx context.Context) {
	for {
		its, epoch := o.next()
		if len(its) == 0 {
			select {
			case <-ctx.Done():
				return
			case <-o.ring:
			}
			continue
		}
		if err := o.send(ctx, its); err != nil {
			o.log.Debug("held back", "err", err)
			for _, it := range slices.Backward(its) {
				o.keep(it, epoch)
			}
			continue
		}
		for _, it := range its {
			it.finish()
		}
	}
}

// send publishes items. Pictures pass the gate, so that a live one cannot be on its
// way at the same time.
func (o *outbox) send(ctx context.Context, its []delivery) error {
	if its[0].waits() {
		if !o.gate.enter(ctx) {
			return context.Cause(ctx)
		}
		defer o.gate.leave()
	}
	o.mu.Lock()
	muted := o.muted
	o.mu.Unlock()
	var msgs []wire.Message
	var shown *snapshotMessage // at most one has a picture: it goes alone
	for _, it := range its {
		if muted {
			var ok bool
			if it, ok = it.private(); !ok {
				continue
			}
		}
		msgs = append(msgs, it.msgs...)
		if it.snapshot != nil {
			msgs = append(msgs, it.snapshot.messages(o.topics)...)
			if it.snapshot.jpeg != nil {
				shown = it.snapshot
			}
		}
	}
	if len(msgs) == 0 {
		return nil
	}
	mark := o.limit.hand(its[0].size())
	if err := o.link.Publish(ctx, msgs...); err != nil {
		return err
	}
	if slices.ContainsFunc(msgs, func(m wire.Message) bool { return m.QoS > 0 }) {
		o.limit.acknowledged(mark)
	}
	o.counts(shown)
	return nil
}

// urgent reports whether a snapshot waits that was just asked for and is published on
// frame too. Those that an outage has held back are late anyway.
func (o *outbox) urgent() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.open && slices.ContainsFunc(o.queue, func(it delivery) bool {
		return it.deliberate() && !it.snapshot.still && !it.snapshot.late
	})
}

// counts counts a deliberate picture that has arrived, and tells its sender; nil is none.
func (o *outbox) counts(s *snapshotMessage) {
	if s == nil {
		return
	}
	s.accept()
	if s.still {
		return
	}
	o.count.snapshots.Add(1)
	if !s.late {
		o.count.sent.Add(1)
		o.count.bytes.Add(uint64(len(s.jpeg)))
	}
}

// keep puts an item that was not acknowledged back, unless it is only a state.
// Nothing more goes out on its connection, which may have been followed by a
// new one already: then the item comes after that one's greeting.
func (o *outbox) keep(it delivery, epoch int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.epoch == epoch {
		o.open = false
	}
	if it.state {
		it.finish()
		return
	}
	if o.muted {
		var ok bool
		if it, ok = it.private(); !ok {
			return
		}
	}
	if it.snapshot != nil {
		it.snapshot.late = true
		it.snapshot.accept()
	}
	at := 0
	if len(o.queue) > 0 && o.queue[0].greeting {
		at = 1
	}
	o.queue = slices.Insert(o.queue, at, it)
	o.bound()
}
