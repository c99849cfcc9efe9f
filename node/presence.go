package node

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"time"

	"camqtt/internal/wire"
	"camqtt/node/camera"
)

// presence is how the node stands with the broker and with a second node of
// the same id. Of two, one serves and the other stands by; see rival.
type presence struct {
	online  bool   // the greeting of this connection has been given
	standby bool   // another node serves this id
	twin    string // what to tell people about the other node
	seen    time.Time
}

// linkUp greets: topics.md says status, info, state, in this order.
func (l *loop) linkUp() {
	l.count.connects.Add(1)
	l.presence.online, l.presence.standby = true, false
	l.rival.connected(time.Now())
	l.limit.begun()
	if size := l.outbox.refuseLarge(l.limit); size > 0 {
		l.notSent(size, time.Now())
	}
	l.greet()
}

func (l *loop) greet() {
	l.stated.at, l.stated.due, l.stated.dirty = time.Now(), time.Time{}, false
	msgs := l.greeting()
	if l.settings.privacy { // it may have been switched on while the broker was out of reach
		msgs = append(msgs, l.noPictures()...)
	}
	l.outbox.greet(msgs)
	l.live.open.Store(true)
	l.first.plan(time.Now())
}

// greeting is status, info and state.
func (l *loop) greeting() []wire.Message {
	return []wire.Message{
		l.status(),
		l.infoMessage(),
		l.json(wire.KindState, l.state()),
	}
}

// infoMessage is to be published at once: everybody else is told the same.
func (l *loop) infoMessage() wire.Message {
	i := l.info()
	l.told = i
	if l.opts.Informed != nil {
		l.opts.Informed(&i)
	}
	return l.json(wire.KindInfo, i)
}

// grown publishes info again when the camera has turned out to be something
// else than was known before it was open.
func (l *loop) grown() {
	if l.presence.online && !l.presence.standby && !reflect.DeepEqual(l.info(), l.told) {
		l.outbox.add(item{msgs: []wire.Message{l.infoMessage()}, state: true})
	}
}

// knownOf is what a camera's info says that the camera may find out only when it
// is open, in a form that can be compared.
func knownOf(p camera.Profile) string {
	return fmt.Sprint(p.Make, p.Model, p.Serial, p.MaxFPS, caps(p), p.Sizes)
}

// learned publishes what has been found out about the camera.
func (l *loop) learned() {
	p := l.profile()
	if p.Warning != l.stated.warning {
		l.stated.warning, l.stated.dirty = p.Warning, true
	}
	if known := knownOf(p); known != l.stated.known {
		l.stated.known = known
		l.grown()
	}
}

func (l *loop) info() wire.Info {
	p := l.profile()
	i := wire.Info{
		Schema: wire.Schema, ID: l.opts.ID, Name: l.settings.name, Model: p.Model, Source: p.Kind,
		MaxFPS: l.settings.fps, Caps: caps(p), Version: l.opts.Version, Host: l.opts.Host,
		Instance: l.instance, Started: wire.At(l.started),
		TopFPS: p.MaxFPS, StatsEvery: l.opts.StatsEvery.Seconds(), Sensors: l.sensors, Bridge: l.opts.Bridge,
		Make: p.Make, Serial: p.Serial, Hardware: l.opts.Hardware,
	}
	if p.MaxFPS > 0 {
		i.MaxFPS = min(i.MaxFPS, p.MaxFPS)
	}
	for _, s := range p.Sizes {
		if most := l.opts.Size; most == (wire.Size{}) || size(s).Pixels() <= most.Pixels() {
			i.Sizes = append(i.Sizes, s.String())
		}
	}
	return i
}

// caps lists what the camera obeys and which newer commands the node knows. The rate
// always is obeyed: what the source does not slow down by itself, the node thins out.
func caps(p camera.Profile) []string {
	all := []string{camera.CapFPS}
	for _, c := range []string{camera.CapFlash, camera.CapQuality, camera.CapSize} {
		if slices.Contains(p.Caps, c) {
			all = append(all, c)
		}
	}
	return append(all, wire.CapStill)
}

// sawInfo notices a second node by its info.
func (l *loop) sawInfo(m wire.Message) {
	var other wire.Info
	if m.Retained || !l.presence.online || json.Unmarshal(m.Payload, &other) != nil {
		return
	}
	l.judge(l.rival.info(other, time.Now()), other.Host, other.Instance)
}

// sawStats notices a second node by its heartbeat.
func (l *loop) sawStats(m wire.Message) {
	var other wire.Stats
	if m.Retained || !l.presence.online || json.Unmarshal(m.Payload, &other) != nil {
		return
	}
	l.judge(l.rival.stats(other, time.Now()), "", other.Instance)
}

// judge does what has been decided about another node.
func (l *loop) judge(v verdict, host, instance string) {
	where := fmt.Sprintf("instance %.16q", instance)
	if host != "" {
		where = fmt.Sprintf("%.40q (instance %.16q)", host, instance)
	}
	text := fmt.Sprintf("another node with the id %s runs on %s: give one of them another id", l.opts.ID, where)
	switch v {
	case yield:
		l.standBy(text)
	case insist:
		l.insist(text)
	case stepIn:
		l.stepIn("its heartbeat is not heard")
	case ask:
		i := l.info()
		i.Standby = true
		m := l.json(wire.KindInfo, i)
		m.Retained = false // what the broker keeps is the other's
		l.outbox.add(item{msgs: []wire.Message{m}, state: true})
	case prove:
		l.publishStats(time.Now())
	}
}

// insist says that this node serves.
func (l *loop) insist(text string) {
	if l.presence.twin == "" {
		l.opts.Log.Error("second node with this id; it stands by", "err", text)
		l.outbox.add(item{shot: &shot{event: &wire.Event{Type: wire.EventError, TS: wire.At(time.Now()), Code: wire.Config, Text: text}}})
	}
	l.presence.twin, l.presence.seen = text, time.Now()
	l.assert()
	l.publishStats(time.Now())
	l.later(twinFor, time.Second, l.forgetTwin)
}

// twinFor is how long people are told of a second node that is not heard any more.
const twinFor = 2 * time.Minute

func (l *loop) forgetTwin() {
	if time.Since(l.presence.seen) >= twinFor && time.Now().After(l.rival.fast) {
		l.presence.twin, l.stated.dirty = "", true
	} else if l.presence.twin != "" {
		l.later(twinFor, time.Second, l.forgetTwin)
	}
}

// assert publishes status, info and state, so that what the broker keeps is
// this node's, and a second node learns that it is not alone.
func (l *loop) assert() {
	for _, m := range l.greeting() {
		l.outbox.add(item{msgs: []wire.Message{m}, state: true})
	}
}

func (l *loop) standBy(text string) {
	if l.presence.standby {
		return
	}
	l.opts.Log.Error("another node serves this id; this one stands by", "err", text)
	if l.rival.limit == 0 {
		l.opts.Log.Warn("this account may not read the camera's stats: the other node is followed by its status only",
			"topic", l.opts.Base.Topic(l.opts.ID, wire.KindStats))
	}
	l.presence.standby = true
	l.live.open.Store(false)
	clear(l.leases)
	l.pending = nil // the other node answers
	l.closeRun()
	if l.opts.Informed != nil {
		l.opts.Informed(nil)
	}
}

// sawStatus corrects what a second node's will or exit has said of this one,
// and steps in when the node that serves goes offline.
func (l *loop) sawStatus(m wire.Message) {
	if m.Retained || !l.presence.online || string(m.Payload) != wire.Offline {
		return
	}
	if l.presence.standby {
		l.stepIn("it is offline")
		return
	}
	l.outbox.add(item{msgs: []wire.Message{l.status()}, state: true})
}

// stepIn serves in the place of the other node.
func (l *loop) stepIn(why string) {
	l.opts.Log.Info("the other node has gone; this one serves", "why", why)
	l.presence.standby = false
	l.rival.connected(time.Now())
	l.greet()
	l.publishStats(time.Now())
}
