package node

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"camqtt/internal/wire"
)

// Node is one camera on the broker. Make one with [New].
type Node struct {
	topics
	opts     Options
	instance string
	started  time.Time
	inbox    chan note
	ended    chan struct{} // closed when Serve has returned
	flood    flood
	count    counters
	limit    *sizeLimit
	noRetain atomic.Bool // the broker keeps no retained messages
}

// note is something the loop must know: a message, or the link going up or down.
type note struct {
	msg  wire.Message
	link linkChange
	at   time.Time

	alive chan struct{} // nil, or to be closed by the loop
}

type linkChange int

const (
	linkSame linkChange = iota
	linkUp
	linkDown
)

// New checks the options and returns a node that is not running.
func New(o Options) (*Node, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand
	o = o.withDefaults()
	return &Node{
		topics:   topics{base: o.Base, id: o.ID, log: o.Log},
		opts:     o,
		limit:    &sizeLimit{configured: o.MaxImageBytes, head: packetHead + len(o.Base.Topic(o.ID, wire.KindSnapshot))},
		instance: hex.EncodeToString(b[:]),
		started:  time.Now(),
		inbox:    make(chan note, 1024),
		ended:    make(chan struct{}),
	}, nil
}

// ClientID returns the name under which this node connects. It differs for
// every start: two nodes with the same camera id must be able to meet, or each
// would throw the other off the broker for ever.
func (n *Node) ClientID() string { return "cam-" + string(n.opts.ID) + "-" + n.instance }

// Will returns the message that the broker publishes when the node vanishes.
func (n *Node) Will() wire.Message { return n.message(wire.KindStatus, []byte(wire.Offline)) }

// Filters returns what the node must be subscribed to. The camera's own status
// and info are among them: that is how it meets a second node of the same id.
func (n *Node) Filters() []string {
	base, id := n.opts.Base, n.opts.ID
	return []string{
		base.Topic(id, wire.KindCmd), base.AllCmd(),
		base.Topic(id, wire.KindSet), base.SetTopic(id, "+"),
		base.Topic(id, wire.KindStatus), base.Topic(id, wire.KindInfo),
	}
}

// OptionalFilters returns what the node subscribes to where it may: by its own heartbeat it
// notices a second node of its id that a broker's failure has silenced.
func (n *Node) OptionalFilters() []string {
	return []string{n.opts.Base.Topic(n.opts.ID, wire.KindStats)}
}

// Handle takes one message. It never blocks: when more than a thousand wait,
// further commands are not carried out, and answered so.
func (n *Node) Handle(m wire.Message) {
	if len(m.Payload) > wire.MaxCommandBytes { // enough to be refused, not to fill memory
		m.Payload = m.Payload[: wire.MaxCommandBytes+1 : wire.MaxCommandBytes+1]
		m.Payload = append([]byte(nil), m.Payload...)
	}
	n.note(note{msg: m})
}

// LinkUp says that the connection is up and every filter is subscribed.
func (n *Node) LinkUp() { n.note(note{link: linkUp}) }

// BrokerLimits says what the broker has told of itself. It comes before LinkUp.
func (n *Node) BrokerLimits(b BrokerLimits) {
	n.limit.tell(b.MaxPacket)
	n.noRetain.Store(b.NoRetain)
}

// LinkDown says that the connection has ended.
func (n *Node) LinkDown(error) { n.note(note{link: linkDown}) }

func (n *Node) note(x note) {
	x.at = time.Now()
	if x.link != linkSame { // must not get lost; the loop always reads
		select {
		case n.inbox <- x:
		case <-n.ended:
		}
		return
	}
	select {
	case n.inbox <- x:
	default:
		n.missed(x)
	}
}

// missed notes a message that came faster than the loop reads. A command gets an answer
// all the same; what else is missed is heard again.
func (n *Node) missed(x note) {
	_, kind, _ := n.opts.Base.Split(x.msg.Topic)
	switch {
	case len(x.msg.Payload) == 0:
	case kind == wire.KindCmd || x.msg.Topic == n.opts.Base.AllCmd():
		c, _ := wire.ParseCommand(x.msg.Payload, x.at)
		n.count.commands.Add(1)
		n.flood.add(string(c.Verb), c.ID)
	case isSet(kind):
		_, id, _ := parseSet(kind, x.msg.Payload)
		n.count.commands.Add(1)
		n.flood.add("set", id)
	}
}

// Serve runs the node until ctx is done, then says offline, closes the camera
// and returns. It can be called once.
func (n *Node) Serve(ctx context.Context) error {
	defer close(n.ended)
	l := newLoop(n)
	var wg sync.WaitGroup
	sending, stop := context.WithCancel(context.WithoutCancel(ctx))
	wg.Go(func() { l.live.serve(sending) })     // ends with sending, below
	wg.Go(func() { l.outbox.serve(sending) })   // ends with sending, below
	wg.Go(func() { l.shrinker.serve(sending) }) // ends with sending, below
	wg.Go(func() { l.kept.serve(sending) })     // ends with sending, below
	l.serve(ctx)
	l.stop()
	stop()
	wg.Wait()
	l.runner.stop()
	l.setting.end()
	l.kept.end()
	return nil
}

// Alive returns nil when the node's loop has answered, which it does between any two
// things it has to do, and an error when ctx is done before or the node has ended.
func (n *Node) Alive(ctx context.Context) error {
	answer := make(chan struct{})
	select {
	case n.inbox <- note{alive: answer}:
	case <-n.ended:
		return fmt.Errorf("camera %s: the node has ended", n.opts.ID)
	case <-ctx.Done():
		return fmt.Errorf("camera %s: ask the node whether it is alive: %w", n.opts.ID, ctx.Err())
	}
	select {
	case <-answer:
		return nil
	case <-n.ended:
		return fmt.Errorf("camera %s: the node has ended", n.opts.ID)
	case <-ctx.Done():
		return fmt.Errorf("camera %s: wait for the node to say that it is alive: %w", n.opts.ID, ctx.Err())
	}
}
