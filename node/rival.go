package node

import (
	"time"

	"camqtt/internal/wire"
)

const (
	claimFor      = 2 * time.Second  // after connecting a node gives way to one whose heartbeat it hears
	readableAfter = time.Second      // a node that may read its own heartbeat hears it within
	fastEvery     = 5 * time.Second  // between heartbeats while another node stands by
	fastFor       = 90 * time.Second // after it last asked for them
	askEvery      = 30 * time.Second // how often it asks
	silentFor     = 15 * time.Second // without a heartbeat a node that stands by steps in
)

// rival decides which of two nodes of one id serves: the one whose heartbeat is heard. Of
// two that start at once it is the one with the lower instance. No clocks are compared, and
// an info alone is no proof: some brokers deliver retained ones as if they were new.
type rival struct {
	instance string // of this node
	standby  bool   // the other serves

	claim    time.Time     // until then this node has just connected
	checked  time.Time     // when it is known whether stats can be read; zero: not being found out
	readable bool          // a heartbeat was heard on this connection, its own or another's
	pending  bool          // an info of another was heard that has not proved to be alive
	alive    time.Time     // when the other was last heard
	limit    time.Duration // how long it may be silent; 0: its status alone counts
	asked    time.Time     // when this node last asked for heartbeats
	fast     time.Time     // until then heartbeats are frequent
}

// verdict is what to do about another node.
type verdict int

const (
	ignore verdict = iota
	yield          // stand by
	insist         // say that this node serves
	stepIn         // serve
	ask            // ask for heartbeats
	prove          // publish a heartbeat
)

// connected notes that this node begins to serve on a connection.
func (r *rival) connected(now time.Time) {
	*r = rival{instance: r.instance, claim: now.Add(claimFor)}
}

// info judges an info that is not known to be a retained one.
func (r *rival) info(i wire.Info, now time.Time) verdict {
	switch {
	case i.Instance == "" || i.Instance == r.instance:
		return ignore
	case r.standby:
		if !i.Standby {
			r.alive = now
		}
		return ignore
	case i.Standby:
		was := r.fast
		r.fast = now.Add(fastFor)
		if now.Before(was) {
			return ignore
		}
		return insist
	case now.Before(r.claim):
		r.pending = true
		return ignore
	case !r.readable && !r.checked.IsZero() && i.Instance < r.instance:
		return r.yields(now, 0)
	}
	return insist
}

// stats judges a heartbeat.
func (r *rival) stats(s wire.Stats, now time.Time) verdict {
	r.readable = true
	if s.Instance == r.instance {
		return ignore
	}
	limit := silentFor
	if s.Instance == "" { // an older program, which cannot be asked
		limit = max(limit, time.Duration(3*s.Every*float64(time.Second)))
	}
	switch {
	case r.standby:
		r.alive, r.limit = now, limit
		return ignore
	case now.Before(r.claim) || s.Instance < r.instance:
		return r.yields(now, limit)
	}
	return insist
}

func (r *rival) yields(now time.Time, limit time.Duration) verdict {
	r.standby, r.pending = true, false
	r.alive, r.limit, r.asked = now, limit, time.Time{}
	return yield
}

// next is when tick has something to do; zero: nothing is due.
func (r *rival) next() time.Time {
	switch {
	case r.standby && r.limit == 0:
		return r.asked.Add(askEvery)
	case r.standby:
		if at := r.asked.Add(askEvery); at.Before(r.alive.Add(r.limit)) {
			return at
		}
		return r.alive.Add(r.limit)
	case r.pending && r.checked.IsZero():
		return r.claim
	case r.pending:
		return r.checked
	}
	return time.Time{}
}

// tick says what has become due.
func (r *rival) tick(now time.Time) verdict {
	at := r.next()
	switch {
	case at.IsZero() || now.Before(at):
		return ignore
	case r.standby && r.limit > 0 && !now.Before(r.alive.Add(r.limit)):
		return stepIn
	case r.standby:
		r.asked = now
		return ask
	case r.checked.IsZero():
		r.checked = now.Add(readableAfter)
		return prove
	}
	r.pending = false
	if r.readable { // the other has not been heard: its info was an old one
		return ignore
	}
	return r.yields(now, 0)
}

// every is how often heartbeats are due.
func (r *rival) every(usual time.Duration, now time.Time) time.Duration {
	if now.Before(r.fast) {
		return min(usual, fastEvery)
	}
	return usual
}
