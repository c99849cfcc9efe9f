package node

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"camqtt/internal/wire"
)

// live sends the newest live picture, one at a time. While the broker is out
// of reach pictures are thrown away: sent later they would be lies.
type live struct {
	node  *Node
	box   slot[[]wire.Message] // a frame and perhaps a preview
	gate  gate                 // at most one picture is on its way
	open  atomic.Bool          // the greeting has been sent on this connection
	muted atomic.Bool          // privacy is on: what waits is thrown away
	rest  time.Time            // no preview before
	yield func() bool          // somebody waits for a picture that he has asked for
	debug *slog.Logger
}

func newLive(n *Node, g gate, yield func() bool) *live {
	return &live{node: n, box: newSlot[[]wire.Message](), gate: g, yield: yield, debug: n.opts.Log}
}

// put hands over a picture's messages; an older one that waits gives way.
func (l *live) put(msgs []wire.Message) {
	if !l.open.Load() {
		l.node.count.unsent.Add(1)
		return
	}
	select {
	case old := <-l.box:
		l.node.count.replaced.Add(1)
		if len(old) > len(msgs) { // its preview is still to come
			preview := l.node.message(wire.KindPreview, msgs[0].Payload)
			preview.Head = msgs[0].Head
			msgs = append(msgs, preview)
		}
	default:
	}
	l.box <- msgs
}

// previewShare bounds what previews cost the live picture on a slow line: after one,
// pictures go without for so many times as long as it took to leave.
const previewShare = 6

func (l *live) serve(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case msgs := <-l.box:
			l.send(ctx, msgs)
		}
	}
}

func (l *live) send(ctx context.Context, msgs []wire.Message) {
	if !l.gate.enter(ctx) {
		return
	}
	defer l.gate.leave()
	if l.muted.Load() {
		return
	}
	if !l.open.Load() {
		l.node.count.unsent.Add(1)
		return
	}
	if l.yield() { // which is a frame too
		l.node.count.replaced.Add(1)
		return
	}
	limit, size := l.node.limit, msgs[0].Size()
	if size > limit.most() { // it waited while the limit was lowered
		l.node.count.tooLarge.Add(1)
		return
	}
	began := time.Now()
	if began.Before(l.rest) {
		msgs = msgs[:1]
	}
	preview := len(msgs) > 1
	mark, suspicious := limit.hand(size), limit.suspicious()
	if suspicious { // its acknowledgement says that the broker has taken the picture
		msgs = append(msgs, l.node.message(wire.KindStatus, []byte(wire.Online)))
	}
	err := l.node.opts.Link.Publish(ctx, msgs...)
	if suspicious && err == nil {
		limit.acknowledged(mark)
	}
	if now := time.Now(); preview {
		l.rest = now.Add(previewShare * now.Sub(began))
	}
	if err != nil {
		l.node.count.unsent.Add(1)
		l.debug.Debug("picture lost", "err", err)
		return
	}
	l.node.count.sent.Add(1)
	l.node.count.bytes.Add(uint64(msgs[0].Size()))
}
