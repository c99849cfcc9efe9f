package broker

import (
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"camqtt/internal/access"
	"camqtt/internal/mqtt"
	"camqtt/internal/wire"
)

// How many commands to cameras are taken. Commands are slowed, never dropped: a sender
// that is over its rate has its commands delivered later, each acknowledged when it is
// delivered, and is not read while too many of them wait.
const (
	// maxParked and parkedBytes bound the commands of one connection that wait for their
	// time. A sender of more is not read.
	maxParked   = 1024
	parkedBytes = 256 << 10
	// commandsWaiting and commandsBytes are how many commands of one account may wait for
	// one camera, and of what size. One more of any size may come when there are fewer.
	commandsWaiting = 250
	commandsBytes   = 256 << 10
	// cameraRate and cameraBurst are how fast commands of all accounts together are handed
	// to one camera: below what a node can answer, and above what people send.
	cameraRate  = 200
	cameraBurst = 256
	// commandPatience is how long a sender is held up by a camera that takes no commands. Then
	// its command is given up and not acknowledged.
	commandPatience = 10 * time.Second
	commandPoll     = 20 * time.Millisecond
)

// maxCameraText is the largest payload of what a camera says that is no picture, in bytes.
// Commands and settings are not bounded by it: a camera says itself that one is too long.
const maxCameraText = 64 << 10

// cameraTopic says what a topic is below a camera or below all cameras: whether it
// carries commands or settings, or what cameras say that is no picture.
func cameraTopic(base, topic string) (command, text bool) {
	if len(topic) <= len(base)+1 || topic[:len(base)] != base || topic[len(base)] != '/' {
		return false, false
	}
	id, rest, ok := strings.Cut(topic[len(base)+1:], "/")
	if !ok || !wire.IsID(id) && id != wire.All {
		return false, false
	}
	_, k := picture(base, topic)
	command = rest == string(wire.KindCmd) || rest == string(wire.KindSet) || strings.HasPrefix(rest, string(wire.KindSet)+"/")
	return command, k == ordinary && !command
}

// commandLine delivers the commands of one connection in their order, no faster than
// their sender may send them.
type commandLine struct {
	rate    *rate.Limiter
	ready   func(incoming) bool // its receivers can take it
	deliver func(incoming)
	reject  func(incoming) // no receiver took it for commandPatience
	stopped func() bool    // what waits is not to be delivered

	mu     sync.Mutex
	parked []incoming
	bytes  int
	over   chan struct{} // closed when the goroutine that delivers has ended; nil: there is none
}

// newCommandLine makes the line of an authenticated client; nil for a part of
// this program, which is not limited.
func newCommandLine(h *handler) *commandLine {
	if h.who.Role == access.Hub {
		return nil
	}
	l := &commandLine{
		ready:   func(in incoming) bool { return h.b.router.takesCommand(in.m.topic, h.account) },
		deliver: func(in incoming) { _ = h.broken(h.published(in)) }, // it ends the connection
		reject:  h.rejectCommand,
		stopped: func() bool { return h.kicked.Load() != nil },
	}
	if h.quota != nil {
		l.rate = h.quota.commands
	} else {
		l.rate = h.b.limits.commandRate()
	}
	return l
}

func (l *Limits) commandRate() *rate.Limiter {
	return rate.NewLimiter(rate.Limit(l.CommandRate), l.CommandBurst)
}

// put delivers a command now if it may, and else when its time has come. It waits while
// too many commands wait.
func (l *commandLine) put(in incoming) {
	l.mu.Lock()
	if l.over == nil && l.ready(in) && l.rate.Allow() {
		l.mu.Unlock()
		l.deliver(in)
		return
	}
	l.parked = append(l.parked, in)
	l.bytes += in.m.size()
	if l.over == nil {
		l.over = make(chan struct{})
		go l.run(l.over) // ends when nothing is parked
	}
	l.mu.Unlock()
	for l.full() && !l.stopped() {
		time.Sleep(commandPoll)
	}
}

func (l *commandLine) full() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.parked) > maxParked || l.bytes > parkedBytes
}

// run delivers what is parked until nothing is.
func (l *commandLine) run(over chan struct{}) {
	defer close(over)
	for {
		l.mu.Lock()
		if len(l.parked) == 0 || l.stopped() {
			l.parked, l.bytes, l.over = nil, 0, nil
			l.mu.Unlock()
			return
		}
		in := l.parked[0]
		l.mu.Unlock()
		l.await(in)
		l.mu.Lock()
		l.parked[0] = incoming{}
		l.parked = l.parked[1:]
		l.bytes -= in.m.size()
		l.mu.Unlock()
	}
}

// await delivers a command when its time has come and its receivers can take it.
func (l *commandLine) await(in incoming) {
	for wait := reserve(l.rate, time.Now(), 1); wait > 0 && !l.stopped(); wait -= throttleStep {
		time.Sleep(min(wait, throttleStep))
	}
	for end := time.Now().Add(commandPatience); !l.stopped(); time.Sleep(commandPoll) {
		switch {
		case l.ready(in):
			l.deliver(in)
			return
		case time.Now().After(end):
			l.reject(in)
			return
		}
	}
}

// rejectCommand gives up a command, which is not acknowledged: an MQTT 5 client is told,
// others send it again when they connect anew.
func (h *handler) rejectCommand(in incoming) {
	h.b.count.dropped.Add(1)
	h.b.log.warnClient(h.conn, "command given up, the camera takes none", "topic", in.m.topic)
	if h.version == 5 {
		h.refusePublish(in.m.qos, in.id, mqtt.QuotaExceeded)
	}
}

// finish waits until everything that is parked was delivered, after the client's last
// packet.
func (l *commandLine) finish() {
	if l == nil {
		return
	}
	l.mu.Lock()
	over := l.over
	l.mu.Unlock()
	if over != nil {
		<-over
	}
}
