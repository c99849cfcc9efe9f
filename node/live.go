package node

import (
	"context"
	"sync/atomic"
	"time"

	"camqtt/internal/wire"
)

// livePicture is a picture with its messages: a frame and perhaps a preview.
type livePicture struct {
	picture *picture
	msgs    []wire.Message
}

// live sends the newest live picture, one at a time. While the broker is out
// of reach pictures are dropped: sent later they would not be live.
type live struct {
	topics
	link  Link
	count *counters
	limit *sizeLimit
	box   slot[livePicture]
	gate  gate        // at most one picture is on its way
	open  atomic.Bool // the greeting has been sent on this connection
	muted atomic.Bool // privacy is on: what waits is dropped
	rest  time.Time   // no preview before
	yield func() bool // a picture that was asked for waits
}

func newLive(n *Node, g gate, yield func() bool) *live {
	return &live{
		topics: n.topics, link: n.opts.Link, count: &n.count, limit: n.limit,
		box: newSlot[livePicture](), gate: g, yield: yield,
	}
}

// put hands over a picture; an older one that waits gives way.
func (l *live) put(p livePicture) {
	if !l.open.Load() {
		l.count.unsent.Add(1)
		return
	}
	p.picture.hold()
	select {
	case old := <-l.box:
		l.count.replaced.Add(1)
		if len(old.msgs) > len(p.msgs) { // its preview is still to come
			preview := l.message(wire.KindPreview, p.msgs[0].Payload)
			preview.Head = p.msgs[0].Head
			p.msgs = append(p.msgs, preview)
		}
		old.picture.drop()
	default:
	}
	l.box <- p
}

// previewShare bounds what previews cost the live picture on a slow line: after one,
// pictures go without for so many times as long as it took to leave.
const previewShare = 6

func (l *live) serve(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case p := <-l.box:
			if l.send(ctx, p.msgs) {
				p.picture.drop()
			}
		}
	}
}

// send publishes a picture. It reports false when the connection may not be done with it.
func (l *live) send(ctx context.Context, msgs []wire.Message) (done bool) {
	if !l.gate.enter(ctx) {
		return true
	}
	defer l.gate.leave()
	if l.muted.Load() {
		return true
	}
	if !l.open.Load() {
		l.count.unsent.Add(1)
		return true
	}
	if l.yield() { // which is a frame too
		l.count.replaced.Add(1)
		return true
	}
	size := msgs[0].Size()
	if size > l.limit.most() { // it waited while the limit was lowered
		l.count.tooLarge.Add(1)
		return true
	}
	began := time.Now()
	if began.Before(l.rest) {
		msgs = msgs[:1]
	}
	preview := len(msgs) > 1
	mark, suspicious := l.limit.hand(size), l.limit.suspicious()
	if suspicious { // its acknowledgement says that the broker has taken the picture
		msgs = append(msgs, l.message(wire.KindStatus, []byte(wire.Online)))
	}
	err := l.link.Publish(ctx, msgs...)
	if suspicious && err == nil {
		l.limit.acknowledged(mark)
	}
	if now := time.Now(); preview {
		l.rest = now.Add(previewShare * now.Sub(began))
	}
	if err != nil {
		l.count.unsent.Add(1)
		l.log.Debug("picture lost", "err", err)
		return false
	}
	l.count.sent.Add(1)
	l.count.bytes.Add(uint64(msgs[0].Size()))
	return true
}
