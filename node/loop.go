package node

import (
	"context"
	"math/rand/v2"
	"time"

	"camqtt/internal/wire"
	"camqtt/node/camera"
)

// loop is everything that only the goroutine of Serve touches.
type loop struct {
	*Node
	ctx    context.Context // of Serve: what the camera runs under
	live   *live
	outbox *outbox

	shrinker *shrinker
	scaling  string // why pictures are made smaller, "" when they are not

	leases   map[string]lease
	pending  []request
	settings settings
	kept     *keptSettings
	secrecy  secrecy

	run     *run // the open camera, nil when closed
	fault   *fault
	backoff backoff
	lastPic *picture // newest whole picture of this run, for max_age and the last preview
	lastAt  time.Time
	pace    pace
	why     string // what was wrong with the last picture that was refused here
	seq     uint64 // of the newest deliberate picture
	dressed uint16 // counts pictures, for their ids

	lingerEnd   time.Time // when an unused camera is closed
	previewNext time.Time // when a live picture may be a preview again
	wasLive     bool      // stream_started has been said

	presence presence
	rival    rival
	sends    bool // the camera sends when it likes
	dozes    bool // and sleeps in between: each of its pictures is a snapshot
	asleep   bool // status says sleeping
	stated   stated
	first    firstLook
	replies  []reply // to do later
	hellos   helloAll
	told     wire.Info // as last published
	onClosed []func()  // what to say when the camera has been closed
	sensors  []string  // what stats will have
	snapNext time.Time
	statNext time.Time
	statPrev statPoint

	timer *time.Timer
}

// reply is something to do at a given time.
type reply struct {
	at time.Time
	do func()
}

func newLoop(n *Node) *loop {
	one := newGate()
	box := newOutbox(n, one)
	now := time.Now()
	l := &loop{
		Node:     n,
		live:     newLive(n, one, box.urgent),
		outbox:   box,
		shrinker: newShrinker(),
		leases:   map[string]lease{},
		settings: settingsOf(n.opts),
		kept:     newKeptSettings(n.opts),
		rival:    rival{instance: n.instance},
		first:    firstLook{spread: n.opts.FirstPicture},
		statNext: now.Add(n.opts.StatsEvery),
		statPrev: statPoint{at: now},
		timer:    time.NewTimer(time.Hour),
	}
	p := l.profile()
	l.sends, l.dozes, l.asleep = p.Unasked, p.Deliberate, p.Deliberate
	l.sensors = sensors()
	l.recallSettings()
	l.schedule(now)
	l.recall()
	return l
}

// serve runs until ctx is done.
func (l *loop) serve(ctx context.Context) {
	l.ctx = ctx
	defer l.timer.Stop()
	l.arrange(time.Now()) // opens a camera that sends when it likes
	for {
		l.timer.Reset(time.Until(l.wake()))
		select {
		case <-ctx.Done():
			return
		case x := <-l.inbox:
			l.take(x)
		case f := <-l.run.pictures():
			l.picture(f)
		case s := <-l.shrinker.out:
			l.shrunk(s)
		case err := <-l.run.ended():
			l.cameraEnded(err)
		case err := <-l.secrecy.written():
			l.remembered(err)
		case <-l.timer.C:
		}
		l.tick(time.Now())
	}
}

// take handles one note from outside.
func (l *loop) take(x note) {
	if x.alive != nil {
		close(x.alive)
		return
	}
	switch x.link {
	case linkUp:
		l.linkUp()
	case linkDown:
		l.live.open.Store(false)
		l.outbox.shut()
		l.limit.ended()
	default:
		l.receive(x)
	}
}

// wake returns the earliest time at which tick has something to do.
func (l *loop) wake() time.Time {
	next := time.Now().Add(time.Hour)
	at := func(t time.Time) {
		if !t.IsZero() && t.Before(next) {
			next = t
		}
	}
	for _, le := range l.leases {
		at(le.until)
	}
	for _, r := range l.pending {
		at(r.deadline)
	}
	for _, r := range l.replies {
		at(r.at)
	}
	if l.run != nil && !l.run.closing {
		at(l.run.alarm())
		at(l.run.prompt.next(l.pending))
		if !l.wanted() {
			at(l.lingerEnd)
		}
	} else if l.run == nil && (l.wanted() || l.unasked()) {
		at(l.backoff.until)
	}
	at(l.dozesAt())
	at(l.hellos.due)
	at(l.kept.due)
	if l.presence.online {
		at(l.rival.next())
	}
	if !l.flood.empty() {
		at(time.Now().Add(floodAgain))
	}
	at(l.secrecy.late())
	at(l.stated.due)
	at(l.snapNext)
	at(l.first.at)
	at(l.statNext)
	return next
}

// tick does what is due. It may be called at any time.
func (l *loop) tick(now time.Time) {
	l.expireLeases(now)
	l.expireRequests(now)
	for i := 0; i < len(l.replies); i++ {
		if r := l.replies[i]; !now.Before(r.at) {
			l.replies = append(l.replies[:i], l.replies[i+1:]...)
			i--
			r.do()
		}
	}
	l.greetAgain(l.hellos.take(now))
	l.kept.tick(now)
	if l.presence.online {
		l.judge(l.rival.tick(now), "", "")
	}
	for l.outbox.room() && !l.flood.empty() {
		for _, r := range l.flood.take(together) {
			if r.TS = wire.At(now); !l.presence.standby { // else the other node answers
				l.reply(r)
			}
		}
	}
	if !l.snapNext.IsZero() && !now.Before(l.snapNext) {
		l.schedule(now)
		if !l.settings.privacy && l.presence.online {
			l.request(request{cause: wire.CauseSchedule, at: now})
		}
	}
	l.look(now)
	l.arrange(now)
	l.stream(now)
	l.doze(now)
	l.watchDisk(now)
	if !now.Before(l.statNext) {
		l.publishStats(now)
	}
	l.publishState(now)
}

// schedule sets the time of the next scheduled snapshot.
func (l *loop) schedule(now time.Time) {
	l.snapNext = time.Time{}
	if l.settings.snapEvery > 0 {
		l.snapNext = now.Add(l.settings.snapEvery)
	}
}

// later runs do after a random time of at most spread.
func (l *loop) later(least, spread time.Duration, do func()) {
	if len(l.replies) < maxLeases {
		l.replies = append(l.replies, reply{time.Now().Add(least + rand.N(spread)), do})
	}
}

// stop ends the node's public life: requests that wait are answered, then the
// last word is offline. It waits at most as long as goodbye for the broker.
func (l *loop) stop() {
	l.live.open.Store(false)
	if l.run != nil {
		l.run.cancel()
	}
	l.refuseAll(wire.NoCamera, "the node is stopping")
	l.unwritten()
	l.closed()
	if !l.presence.online || l.presence.standby {
		return
	}
	clear(l.leases)
	l.lastPic = nil // nothing more to show: the last preview stays what it is
	done := make(chan struct{})
	if l.wasLive {
		l.outbox.add(item{msgs: []wire.Message{l.json(wire.KindState, l.state())}, state: true})
	}
	l.outbox.add(item{msgs: []wire.Message{l.Will()}, state: true, done: done})
	select {
	case <-done:
	case <-time.After(goodbye):
	}
}

// closeCamera waits for the camera to be closed.
func (l *loop) closeCamera() {
	if l.run != nil {
		l.run.cancel()
		<-l.run.done
	}
}

// size converts between the camera's size and the wire's.
func size(s camera.Size) wire.Size { return wire.Size{Width: s.Width, Height: s.Height} }
