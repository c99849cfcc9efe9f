package broker

import (
	"sync"
	"time"

	"camqtt/internal/access"
)

// sessions are all of them by client identifier.
type sessions struct {
	limits  *Limits
	log     *journal
	rights  *rights
	subs    *subscriptions
	fanouts *fanoutCache
	wills   *wills

	// sessionMu makes arriving, leaving and expiring of sessions one thing at a time. A
	// newcomer holds it until it has its answer, in which nothing waits.
	sessionMu sync.Mutex
	away      int       // sessions without a client; guarded by sessionMu
	taken     connLimit // guarded by sessionMu

	mu sync.RWMutex
	m  map[string]*session
}

func (ss *sessions) get(id string) *session {
	ss.mu.RLock()
	defer ss.mu.RUnlock()
	return ss.m[id]
}

func (ss *sessions) all() []*session {
	ss.mu.RLock()
	defer ss.mu.RUnlock()
	out := make([]*session, 0, len(ss.m))
	for _, s := range ss.m {
		out = append(out, s)
	}
	return out
}

// enter gives a client its session: the connection that has it now is ended first,
// and waited for, so that its will and its subscriptions cannot come after the
// newcomer's. It leaves sessionMu locked until finishEntering or the connection ends, and says
// whether there was a session to go on with. On an error sessionMu is unlocked: the identifier
// belongs to another account, which then notices nothing, or there is no room.
func (ss *sessions) enter(c *conn, clean bool) (present bool, err error) {
	for {
		ss.sessionMu.Lock()
		old := ss.get(c.id)
		if old != nil && !c.who.Owns(old.who) {
			ss.sessionMu.Unlock()
			return false, errTaken
		}
		if old == nil || old.owner == nil || old.owner == c {
			if err := ss.taken.join(c.counted, ss.limits.Connections); err != nil {
				ss.sessionMu.Unlock()
				return false, err
			}
			break
		}
		rival := old.owner
		ss.sessionMu.Unlock()
		rival.closeForTakeover()
		<-rival.over
	}
	c.entering = true
	old := ss.get(c.id)
	if old != nil && clean { // [MQTT-3.1.2-4]
		ss.remove(old)
		ss.wills.now(c.id)
		old = nil
	}
	if present = old != nil; !present {
		old = &session{id: c.id, b: c.b, quota: c.quota}
		ss.put(old)
	}
	ss.wills.cancel(c.id) // [MQTT-3.1.3-9]
	if present {
		ss.away--
	}
	old.owner, old.who, c.session = c, c.who, old
	if ss.taken.nearly(c.counted) {
		ss.log.warn("account uses nearly all of its connections", "user", c.who.Name, "open", ss.taken.byAccount[c.counted.key], "most", c.counted.most)
	}
	return present, nil
}

// finishEntering lets the next session change.
func (ss *sessions) finishEntering(c *conn) {
	if c.entering {
		c.entering = false
		ss.sessionMu.Unlock()
	}
}

// leave ends what a connection had: its session if nothing shall remain of it, and
// the lock if it ended while it entered.
func (ss *sessions) leave(c *conn) {
	ss.finishEntering(c)
	s := c.session
	if s == nil {
		return
	}
	s.detach()
	ss.sessionMu.Lock()
	defer ss.sessionMu.Unlock()
	ss.taken.leave(c.counted)
	defer ss.fanouts.forget(ss.subs.filters(c.id))
	if s.owner == c {
		s.owner, s.since = nil, time.Now()
		ss.away++
		if c.terms.expiry == 0 || ss.rights.revoked(s.who, s.id) {
			ss.remove(s)
		}
		ss.makeRoom()
	}
}

// remove ends a session with its subscriptions. The caller holds sessionMu.
func (ss *sessions) remove(s *session) {
	if s.owner == nil {
		ss.away--
	}
	s.end()
	filters := ss.subs.removeAll(s.id)
	ss.mu.Lock()
	if ss.m[s.id] == s {
		delete(ss.m, s.id)
	}
	ss.mu.Unlock()
	ss.fanouts.forget(filters)
}

// makeRoom ends a session when too many are without a client: of the account that has
// most of them, so that none pushes out another's, the one that has been without for
// longest. One account may have a part of them only. The caller holds sessionMu.
func (ss *sessions) makeRoom() {
	most, part := ss.limits.Sessions, max(ss.limits.Sessions/accountPart, min(ss.limits.Sessions, fewSessions))
	if ss.away <= part {
		return
	}
	all, count, greedy := ss.all(), map[string]int{}, ""
	for _, s := range all {
		if s.owner != nil || s.quota == nil && ss.away <= most {
			continue
		}
		if count[s.who.Name]++; count[s.who.Name] > count[greedy] {
			greedy = s.who.Name
		}
	}
	if ss.away <= most && count[greedy] <= part {
		return
	}
	var oldest *session
	for _, s := range all {
		if s.owner == nil && s.who.Name == greedy && (oldest == nil || s.since.Before(oldest.since)) {
			oldest = s
		}
	}
	if oldest != nil {
		ss.remove(oldest)
	}
}

// expire ends the sessions whose time is over. [MQTT-3.1.2-23]
func (ss *sessions) expire(now time.Time) {
	ss.sessionMu.Lock()
	defer ss.sessionMu.Unlock()
	for _, s := range ss.all() {
		if s.owner != nil {
			continue
		}
		s.mu.Lock()
		over := now.Sub(s.since) >= s.terms.expiry
		s.mu.Unlock()
		if over {
			ss.remove(s)
		}
	}
}

func (ss *sessions) put(s *session) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ss.m[s.id] = s
}

// mostFilters is how many filters a client may have that wants so many: fewer when its
// account's other sessions have many.
func (ss *sessions) mostFilters(c *conn, want int) int {
	most := ss.limits.Subscriptions
	if c.quota == nil || want <= most/fewFilters {
		return most
	}
	left := accountQueues * most
	ss.sessionMu.Lock()
	defer ss.sessionMu.Unlock()
	for _, s := range ss.all() {
		if s.quota == c.quota && s != c.session {
			left -= ss.subs.count(s.id)
		}
	}
	return max(min(most, left), most/fewFilters)
}

// revoke takes the rights of sessions that have revoked and ends those without a client.
func (ss *sessions) revoke() {
	ss.sessionMu.Lock()
	defer ss.sessionMu.Unlock()
	for _, s := range ss.all() {
		if !ss.rights.revoked(s.who, s.id) {
			continue
		}
		s.mu.Lock()
		s.terms.who = access.Principal{}
		s.mu.Unlock()
		if s.owner == nil {
			ss.remove(s)
			ss.wills.now(s.id)
		}
	}
}
