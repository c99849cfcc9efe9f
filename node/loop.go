package node

import (
	"context"
	"time"

	"camqtt/internal/wire"
)

// loop dispatches what happens to the parts of a node: messages, pictures, the end of the
// camera, and time. Only the goroutine of Serve touches it and the parts.
type loop struct {
	*Node
	live     *live
	outbox   *outbox
	shrinker *shrinker
	intake   *intake

	leases    *leases
	requests  *requests
	settings  *settings
	newest    *newest
	runner    *runner
	privacy   *privacy
	kept      *keptSettings
	setting   *settingsHandler
	commands  *commands
	responder *responder
	presence  *presence
	info      *infoPublisher
	state     *statePublisher
	first     *firstLook
	stream    *stream

	parts []part // in the order in which they do what is due
}

// serve runs until ctx is done.
func (l *loop) serve(ctx context.Context) {
	l.runner.ctx = ctx
	l.runner.run(time.Now()) // opens a camera that sends by itself
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		timer.Reset(time.Until(l.next()))
		select {
		case <-ctx.Done():
			return
		case x := <-l.inbox:
			l.handle(x)
		case f := <-l.runner.frames():
			l.intake.receive(f, time.Now())
		case s := <-l.shrinker.out:
			l.intake.receiveShrunk(s, time.Now())
		case err := <-l.runner.done():
			l.runner.handleEnd(err)
		case err := <-l.privacy.written():
			l.setting.written(err)
		case <-timer.C:
		}
		l.run(time.Now())
	}
}

// next is when the first part has something to do.
func (l *loop) next() time.Time {
	next := time.Now().Add(time.Hour)
	for _, p := range l.parts {
		next = earlier(next, p.next())
	}
	return next
}

func (l *loop) run(now time.Time) {
	for _, p := range l.parts {
		p.run(now)
	}
}

// handle handles one note from outside.
func (l *loop) handle(x note) {
	switch {
	case x.alive != nil:
		close(x.alive)
	case x.link == linkUp:
		l.linkUp(time.Now())
	case x.link == linkDown:
		l.live.open.Store(false)
		l.outbox.shut()
		l.limit.ended()
	default:
		l.receive(x)
	}
}

// linkUp greets on a new connection. Its broker may take smaller pictures than the last.
func (l *loop) linkUp(now time.Time) {
	l.count.connects.Add(1)
	l.limit.begun()
	if size := l.outbox.refuseLarge(); size > 0 {
		l.runner.faults.set(l.intake.tooLarge(size, now))
	}
	l.presence.connect(now)
}

// receive handles one MQTT message.
func (l *loop) receive(x note) {
	if x.msg.Topic == l.opts.Base.AllCmd() {
		l.commands.handle(x, true)
		return
	}
	switch _, kind, ok := l.opts.Base.Split(x.msg.Topic); {
	case !ok:
	case kind == wire.KindStatus:
		l.presence.sawStatus(x.msg)
	case kind == wire.KindStats:
		l.presence.sawStats(x.msg)
	case kind == wire.KindInfo:
		l.presence.sawInfo(x.msg)
	case kind == wire.KindCmd:
		l.commands.handle(x, false)
	case isSet(kind):
		l.setting.handle(x, kind)
	}
}

// greeted goes on when status, info and state have been published on a new connection.
func (l *loop) greeted() {
	l.live.open.Store(true)
	l.first.plan(time.Now())
}

// standAside ends what the node does, because another one of its id serves.
func (l *loop) standAside() {
	l.live.open.Store(false)
	l.leases.end("")
	l.requests.waiting = nil // the other node answers
	l.runner.close()
	if l.opts.Informed != nil {
		l.opts.Informed(nil)
	}
}

// enforcePrivacy closes the camera, drops every picture that has not left yet and refuses
// the requests that wait; or lets the camera be opened again.
func (l *loop) enforcePrivacy(on bool) {
	l.live.muted.Store(on)
	l.outbox.mute(on)
	if !on {
		l.first.plan(time.Now())
		return
	}
	l.first.reset()
	l.leases.end("")
	l.requests.refuseAll(wire.Privacy, "privacy was switched on")
	l.newest.picture = nil
	l.runner.close()
	if l.presence.serving() {
		l.outbox.add(delivery{msgs: l.noPictures(), state: true, barrier: true})
	}
}

// listening reports whether the camera sends by itself and this node serves it: it is open
// whether or not pictures are wanted.
func (l *loop) listening() bool { return l.newest.pushed && !l.presence.standby }

// askScheduled asks for a scheduled snapshot.
func (l *loop) askScheduled(now time.Time) {
	if !l.settings.private && l.presence.online {
		l.commands.request(request{cause: wire.CauseSchedule, at: now})
	}
}

// askFirst asks for the first picture. A camera that sends by itself is left alone: it may
// be asleep.
func (l *loop) askFirst(now time.Time) {
	if l.settings.private || !l.presence.serving() || l.listening() {
		return // planned again when that ends
	}
	l.first.seen()
	closed := l.runner.open == nil
	l.commands.request(request{cmd: wire.Command{Verb: wire.Still}, cause: causeFirst, at: now})
	if closed && l.runner.open != nil {
		l.runner.open.brief = true
	}
}

// arrived goes on when a whole picture has come from the camera, which may have found out
// more of itself.
func (l *loop) arrived() {
	l.first.seen()
	l.info.learn()
}

// learn publishes what the camera has turned out to be.
func (l *loop) learn() { l.info.learn() }

// settingsChanged publishes what settings have changed.
func (l *loop) settingsChanged() {
	l.info.refresh()
	l.state.touch()
}

// notePicture keeps what state says of a picture that may be published.
func (l *loop) notePicture(p *picture, now time.Time) {
	l.kept.picture(lastPicture{wire.At(p.at), p.info.Width, p.info.Height, l.runner.open.mode.Quality}, now)
}

// beforeHeartbeat publishes what has changed without anything that would have told of it.
func (l *loop) beforeHeartbeat() {
	l.info.learn()
	l.info.refresh()
	if l.runner.open != nil { // a live stream changes only the time of its newest picture
		l.state.touch()
	}
}

// stop ends the node's public life: requests that wait are answered, then the
// last message is offline. It waits at most as long as goodbye for the broker.
func (l *loop) stop() {
	l.live.open.Store(false)
	if l.runner.open != nil {
		l.runner.open.cancel()
	}
	l.requests.refuseAll(wire.NoCamera, "the node is stopping")
	l.setting.stop()
	l.runner.closed()
	if !l.presence.serving() {
		return
	}
	l.leases.end("")
	done := make(chan struct{})
	if l.stream.live {
		l.outbox.publish(l.state.message())
	}
	l.outbox.add(delivery{msgs: []wire.Message{l.Will()}, state: true, done: done})
	select {
	case <-done:
	case <-time.After(goodbye):
	}
}
