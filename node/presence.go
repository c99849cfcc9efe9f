package node

import (
	"encoding/json"
	"fmt"
	"time"

	"camqtt/internal/wire"
)

// presence is how the node stands with the broker and with a second node of the same id. Of
// two, one serves and the other stands by; see rival.
type presence struct {
	topics
	outbox    *outbox
	info      *infoPublisher
	state     *statePublisher
	sleep     *sleep
	responder *responder
	greeted   func()              // after a greeting
	heartbeat func(now time.Time) // publishes stats
	aside     func()              // another node serves from now on
	rival     rival

	online  bool      // the greeting of a connection has been given
	standby bool      // another node serves this id
	twin    string    // what state says of the other node
	heard   time.Time // when the other node last had to be told that this one serves
}

// twinFor is how long state tells of a second node that is not heard any more.
const twinFor = 2 * time.Minute

// serving reports whether this node may publish.
func (p *presence) serving() bool { return p.online && !p.standby }

// standsBy reports whether another node serves.
func (p *presence) standsBy() bool { return p.standby }

// connect greets on a new connection.
func (p *presence) connect(now time.Time) {
	p.online, p.standby = true, false
	p.rival.connected(now)
	p.greet(now)
}

func (p *presence) greet(now time.Time) {
	p.state.said(now)
	msgs := p.greeting()
	if p.state.settings.private { // it may have been switched on while the broker was out of reach
		msgs = append(msgs, p.noPictures()...)
	}
	p.outbox.greet(msgs)
	p.greeted()
}

// greeting is status, info and state, in the order of topics.md.
func (p *presence) greeting() []wire.Message {
	return []wire.Message{p.status(), p.info.current(), p.state.message()}
}

func (p *presence) status() wire.Message { return p.message(wire.KindStatus, []byte(p.sleep.status())) }

// publishStatus publishes status where it has changed.
func (p *presence) publishStatus() {
	if p.serving() {
		p.outbox.publish(p.status())
	}
}

// announce publishes status, info and state again, so that what the broker keeps is this
// node's, and a second node learns that there is another.
func (p *presence) announce() {
	for _, m := range p.greeting() {
		p.outbox.publish(m)
	}
}

// sawInfo notices a second node by its info.
func (p *presence) sawInfo(m wire.Message) {
	var other wire.Info
	if p.ignores(m) || json.Unmarshal(m.Payload, &other) != nil {
		return
	}
	p.judge(p.rival.info(other, time.Now()), other.Host, other.Instance)
}

// sawStats notices a second node by its heartbeat.
func (p *presence) sawStats(m wire.Message) {
	var other wire.Stats
	if p.ignores(m) || json.Unmarshal(m.Payload, &other) != nil {
		return
	}
	p.judge(p.rival.stats(other, time.Now()), "", other.Instance)
}

// sawStatus corrects what a second node's will or exit has said of this one, and steps in
// when the node that serves goes offline.
func (p *presence) sawStatus(m wire.Message) {
	switch {
	case p.ignores(m) || string(m.Payload) != wire.Offline:
	case p.standby:
		p.stepIn("it is offline")
	default:
		p.outbox.publish(p.status())
	}
}

func (p *presence) ignores(m wire.Message) bool { return m.Retained || !p.online }

// next is when something is due about a second node.
func (p *presence) next() time.Time {
	var at time.Time
	if p.online {
		at = p.rival.next()
	}
	return earlier(at, p.twinEnd())
}

// twinEnd is when state says no longer that there is a second node.
func (p *presence) twinEnd() time.Time {
	switch end := p.heard.Add(twinFor); {
	case p.twin == "":
		return time.Time{}
	case end.After(p.rival.fast):
		return end
	}
	return p.rival.fast
}

func (p *presence) run(now time.Time) {
	if due(p.twinEnd(), now) {
		p.twin = ""
		p.state.touch()
	}
	if p.online {
		p.judge(p.rival.tick(now), "", "")
	}
}

// judge does what has been decided about another node.
func (p *presence) judge(v verdict, host, instance string) {
	where := fmt.Sprintf("instance %.16q", instance)
	if host != "" {
		where = fmt.Sprintf("%.40q (instance %.16q)", host, instance)
	}
	text := fmt.Sprintf("another node with the id %s runs on %s: give one of them another id", p.id, where)
	switch v {
	case yield:
		p.standBy(text)
	case insist:
		p.insist(text)
	case stepIn:
		p.stepIn("its heartbeat is not heard")
	case ask:
		i := p.info.info()
		i.Standby = true
		m := p.json(wire.KindInfo, i)
		m.Retained = false // what the broker keeps is the other's
		p.outbox.publish(m)
	case prove:
		p.heartbeat(time.Now())
	}
}

// insist says that this node serves.
func (p *presence) insist(text string) {
	now := time.Now()
	if p.twin == "" {
		p.log.Error("second node with this id; it stands by", "err", text)
		p.responder.event(wire.Event{Type: wire.EventError, TS: wire.At(now), Code: wire.Config, Text: text})
	}
	p.twin, p.heard = text, now
	p.announce()
	p.heartbeat(now)
}

func (p *presence) standBy(text string) {
	if p.standby {
		return
	}
	p.log.Error("another node serves this id; this one stands by", "err", text)
	if p.rival.limit == 0 {
		p.log.Warn("this account may not read the camera's stats: the other node is followed by its status only",
			"topic", p.base.Topic(p.id, wire.KindStats))
	}
	p.standby = true
	p.aside()
}

// stepIn serves in the place of the other node.
func (p *presence) stepIn(why string) {
	p.log.Info("the other node has gone; this one serves", "why", why)
	now := time.Now()
	p.standby = false
	p.rival.connected(now)
	p.greet(now)
	p.heartbeat(now)
}
