package node

import (
	"time"

	"golang.org/x/time/rate"
)

// newLoop makes the parts of a node and connects them. They take up what an earlier run of
// the node has kept.
func newLoop(n *Node) *loop {
	now, current := time.Now(), configured(n.opts)
	l := &loop{
		Node: n, settings: &current, shrinker: newShrinker(), kept: newKeptSettings(n.opts),
		state: &statePublisher{}, presence: &presence{},
	}
	l.makeSenders()
	l.makeCamera()
	l.makeHandlers()
	l.makePresence()
	stats := &statistics{
		topics: n.topics, outbox: l.outbox, runner: l.runner, presence: l.presence, count: &n.count, flood: &n.flood,
		usual: n.opts.StatsEvery, started: n.started, before: l.beforeHeartbeat, at: now.Add(n.opts.StatsEvery), last: now,
	}
	l.presence.heartbeat = stats.publish
	l.stream = &stream{leases: l.leases, responder: l.responder, ended: l.commands.publisher.keepLast, changed: l.state.touch}
	l.recall()
	scheduled := &schedule{settings: l.settings, ask: l.askScheduled}
	scheduled.run(now)
	l.parts = []part{
		l.leases, l.requests, l.commands.hellos, l.kept, l.presence, l.responder, scheduled, l.first,
		l.runner, l.stream, l.presence.sleep, l.privacy, stats, l.state,
	}
	return l
}

// makeSenders makes what sends pictures and results.
func (l *loop) makeSenders() {
	pictures := newGate() // at most one picture is on its way
	l.outbox = newOutbox(l.Node, pictures)
	l.live = newLive(l.Node, pictures, l.outbox.urgent)
	l.responder = &responder{outbox: l.outbox, flood: &l.flood, standby: l.presence.standsBy, log: l.opts.Log}
}

// makeCamera makes what runs the camera and takes its pictures.
func (l *loop) makeCamera() {
	log, touch, profile := l.opts.Log, l.state.touch, l.opts.Source.Profile()
	l.newest = &newest{pushed: profile.Unasked, changed: touch}
	l.leases = newLeases(touch)
	l.requests = &requests{answer: l.responder.answerRequest, hint: l.newest.hint}
	l.runner = &runner{
		source: l.opts.Source, log: log, count: &l.count, newest: l.newest,
		demand:  demand{leases: l.leases, requests: l.requests, settings: l.settings},
		faults:  &faults{log: log, event: l.responder.event, changed: touch},
		listen:  l.listening,
		changed: touch, arrived: l.arrived, ended: l.learn,
	}
	pub := &publisher{
		topics: l.topics, outbox: l.outbox, live: l.live, limit: l.limit, newest: l.newest, demand: l.runner.demand,
		sleepy: profile.Deliberate, noted: l.notePicture, changed: touch, rate: rate.NewLimiter(0, rateBurst),
	}
	l.intake = &intake{
		log: log, count: &l.count, limit: l.limit, shrinker: l.shrinker, runner: l.runner, accept: pub.use, changed: touch,
		stamp: &stamp{profile: l.opts.Source.Profile, orientation: l.opts.Orientation, instance: l.instance},
	}
	l.commands = &commands{
		count: &l.count, flood: &l.flood, settings: l.settings, leases: l.leases, runner: l.runner,
		publisher: pub, responder: l.responder, presence: l.presence, clock: &clockCheck{log: log, changed: touch},
	}
	l.commands.hellos = &helloAll{answer: l.commands.greet}
}

// makeHandlers makes what carries out settings.
func (l *loop) makeHandlers() {
	l.privacy = &privacy{
		settings: l.settings, store: l.opts.Store, log: l.opts.Log, enforce: l.enforcePrivacy, changed: l.state.touch,
	}
	l.setting = &settingsHandler{
		base: l.opts.Base, log: l.opts.Log, count: &l.count, settings: l.settings, configured: configured(l.opts),
		privacy: l.privacy, kept: l.kept, responder: l.responder, runner: l.runner,
		standby: l.presence.standsBy, changed: l.settingsChanged,
	}
}

// makePresence makes what tells the world of the camera.
func (l *loop) makePresence() {
	p := l.presence
	sleeps := l.opts.Source.Profile().Deliberate
	p.sleep = &sleep{sleepy: sleeps, asleep: sleeps, newest: l.newest, publish: p.publishStatus}
	p.info = &infoPublisher{
		topics: l.topics, opts: l.opts, instance: l.instance, started: l.started, sensors: sensors(),
		settings: l.settings, outbox: l.outbox, serving: p.serving, changed: l.state.touch,
	}
	*l.state = statePublisher{
		topics: l.topics, outbox: l.outbox, settings: l.settings, demand: l.runner.demand, runner: l.runner, newest: l.newest,
		faults: l.runner.faults, privacy: l.privacy, kept: l.kept, intake: l.intake, presence: p, clock: l.commands.clock,
		noRetain: l.noRetain.Load,
	}
	l.info = p.info
	p.topics, p.outbox, p.state, p.responder = l.topics, l.outbox, l.state, l.responder
	p.greeted, p.aside, p.rival = l.greeted, l.standAside, rival{instance: l.instance}
	l.first = &firstLook{spread: l.opts.FirstPicture, ask: l.askFirst}
}

// recall takes up the settings, the newest picture and the privacy of an earlier run.
func (l *loop) recall() {
	changes, err := l.kept.load(l.opts.Given)
	if err != nil {
		l.opts.Log.Warn("settings made over MQTT are lost", "err", err)
	}
	for _, c := range changes {
		l.settings.apply(c, l.setting.configured, nil)
	}
	if w := l.kept.warning(); w != "" {
		l.opts.Log.Info("settings differ from the configuration", "why", w)
	}
	l.newest.recall(l.kept.now.Last)
	l.privacy.recall()
}
