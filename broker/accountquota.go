package broker

import (
	"sync"
	"sync/atomic"

	"golang.org/x/time/rate"

	"camqtt/internal/access"
)

// How much more one account may have than one of its clients, so that the connections of
// one account together cannot use up what others need.
const (
	accountQueues = 4 // times Limits.QueueBytes and Limits.Subscriptions
	accountPart   = 4 // of Limits.InboundBytes and Limits.Sessions, this part
	accountRate   = 4 // times Limits.PacketRate
	// As many absent sessions any account may have.
	fewSessions = 16
	// Sessions with fewer filters than this part of Limits.Subscriptions are not counted.
	fewFilters = 64
	// One message of this size for a client that has taken all others always finds room.
	smallMessage = 64 << 10
)

// accountQuota is what all clients of one account share. A nil quota is that of a client
// without a limit.
type accountQuota struct {
	inbound atomic.Int64 // of Broker.inbound
	waiting atomic.Int64 // bytes of messages at QoS 1 and 2, on their way and waiting
	rate    *rate.Limiter
	// commands are those that its clients send to cameras.
	commands *rate.Limiter
}

// receive notes that n more bytes are being received, and returns how many are.
func (q *accountQuota) receive(n int) int {
	if q == nil {
		return 0
	}
	return int(q.inbound.Add(int64(n)))
}

// wait notes that n more bytes wait to be taken.
func (q *accountQuota) wait(n int) {
	if q != nil {
		q.waiting.Add(int64(n))
	}
}

// share is how many bytes of large packets may be received from one account.
func (l *Limits) share() int { return max(l.InboundBytes/accountPart, l.Packet) }

// overQuota reports whether n more bytes are too much for the account. The caller holds mu.
func (s *session) overQuota(n int) bool {
	if s.quota == nil || s.quota.waiting.Load()+int64(n) <= accountQueues*int64(s.b.limits.QueueBytes) {
		return false
	}
	return s.conn == nil || s.waiting.bytes+s.inflightBytes > 0 || n > smallMessage
}

// quotas are those of all accounts.
type quotas struct {
	limits *Limits
	mu     sync.Mutex
	m      map[string]*accountQuota
}

// of gives the quota of an account; nil for parts of this program, and for
// clients without an account that may do everything.
func (qs *quotas) of(p access.Principal) *accountQuota {
	if p.Name == "" && p.Role != access.Reader {
		return nil
	}
	qs.mu.Lock()
	defer qs.mu.Unlock()
	u := qs.m[p.Name]
	if u == nil {
		u = &accountQuota{rate: newRate(accountRate * qs.limits.PacketRate), commands: qs.limits.commandRate()}
		qs.m[p.Name] = u
	}
	return u
}
