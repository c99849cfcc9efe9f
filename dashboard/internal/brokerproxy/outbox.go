package brokerproxy

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"camqtt/internal/wire"
)

// errFull means that a browser is too far behind with what may not be left out.
var errFull = errors.New("the browser is too slow")

// outbox holds what waits for one browser, in order. Of each picture topic only the
// newest waits; all else is bounded by bytes.
type outbox struct {
	limit    int           // bytes that are not pictures
	timeout  time.Duration // how long put waits for room
	replaced *atomic.Int64

	mu       sync.Mutex
	line     list.List // of waiting
	pictures map[slot]*list.Element
	bytes    int
	filled   chan struct{} // has one token while something waits or nothing more comes
	room     chan struct{} // closed when bytes were taken; nil: no caller waits for it
	closed   bool
}

// waiting is one packet in line.
type waiting struct {
	packet  []byte
	slot    slot
	picture bool
}

// maxPictures bounds the picture topics that wait for one browser.
const maxPictures = 1024

func newOutbox(limit int, timeout time.Duration, replaced *atomic.Int64) *outbox {
	return &outbox{
		limit: limit, timeout: timeout, replaced: replaced,
		pictures: map[slot]*list.Element{}, filled: make(chan struct{}, 1),
	}
}

// putPicture puts a picture in line, in the place of the one that waits. A snapshot
// goes to the end all the same, behind the message that announces it.
func (o *outbox) putPicture(s slot, kind wire.Kind, packet []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch e := o.pictures[s]; {
	case e != nil:
		o.replaced.Add(1)
		e.Value = waiting{packet: packet, slot: s, picture: true}
		if kind == wire.KindSnapshot {
			o.line.MoveToBack(e)
		}
	case len(o.pictures) >= maxPictures:
		o.replaced.Add(1)
	default:
		o.pictures[s] = o.line.PushBack(waiting{packet: packet, slot: s, picture: true})
	}
	o.signal()
}

// put puts a packet in line. It waits a while for room before it gives up, which
// makes the broker hold back what a burst has too much.
func (o *outbox) put(ctx context.Context, packet []byte) error {
	late := time.NewTimer(o.timeout)
	defer late.Stop()
	for {
		room := o.tryPut(packet)
		if room == nil {
			return nil
		}
		select {
		case <-room:
		case <-late.C:
			return fmt.Errorf("%w: over %d bytes wait for it", errFull, o.limit)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// tryPut returns nil when the packet is in line, else a channel that is closed when
// there may be room.
func (o *outbox) tryPut(packet []byte) <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.bytes > 0 && o.bytes+len(packet) > o.limit {
		if o.room == nil {
			o.room = make(chan struct{})
		}
		return o.room
	}
	o.bytes += len(packet)
	o.line.PushBack(waiting{packet: packet})
	o.signal()
	return nil
}

func (o *outbox) signal() {
	select {
	case o.filled <- struct{}{}:
	default:
	}
}

// finish says that nothing more comes.
func (o *outbox) finish() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	o.signal()
}

// wait returns when something waits. false: nothing does, and nothing will, or ctx
// is done.
func (o *outbox) wait(ctx context.Context) bool {
	for {
		o.mu.Lock()
		some, closed := o.line.Len() > 0, o.closed
		o.mu.Unlock()
		if some || closed {
			return some
		}
		select {
		case <-o.filled:
		case <-ctx.Done():
			return false
		}
	}
}

// take removes the first packet in line. Only the caller of wait may call it.
func (o *outbox) take() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	w, _ := o.line.Remove(o.line.Front()).(waiting)
	if w.picture {
		delete(o.pictures, w.slot)
		return w.packet
	}
	o.bytes -= len(w.packet)
	if o.room != nil {
		close(o.room)
		o.room = nil
	}
	return w.packet
}
