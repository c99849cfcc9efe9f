package broker

import (
	"sync/atomic"

	"golang.org/x/time/rate"

	"camqtt/internal/access"
)

// How much more one account may have than one of its clients, so that whoever has taken
// over a single account cannot use up what all others need by coming often.
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

// purse is what all clients of one account have together. A nil purse is that of who
// may have everything there is.
type purse struct {
	inbound atomic.Int64 // of Broker.inbound
	waiting atomic.Int64 // bytes of messages at QoS 1 and 2, on their way and waiting
	rate    *rate.Limiter
	// commands are those that its clients send to cameras.
	commands *rate.Limiter
}

// purseOf gives the purse of an account; nil for parts of this program, and for who came
// in without an account and may do everything.
func (b *Broker) purseOf(p access.Principal) *purse {
	if p.Name == "" && p.Role != access.Reader {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	u := b.purses[p.Name]
	if u == nil {
		u = &purse{rate: newRate(accountRate * b.limits.PacketRate), commands: b.limits.commandRate()}
		b.purses[p.Name] = u
	}
	return u
}

// receive notes that n more bytes are being received, and returns how many are.
func (u *purse) receive(n int) int {
	if u == nil {
		return 0
	}
	return int(u.inbound.Add(int64(n)))
}

// wait notes that n more bytes wait to be taken.
func (u *purse) wait(n int) {
	if u != nil {
		u.waiting.Add(int64(n))
	}
}

// share is how many bytes of large packets may be received from one account.
func (l *Limits) share() int { return max(l.InboundBytes/accountPart, l.Packet) }

// spent reports whether n more bytes are too much for the account. The caller holds mu.
func (s *session) spent(n int) bool {
	if s.purse == nil || s.purse.waiting.Load()+int64(n) <= accountQueues*int64(s.b.limits.QueueBytes) {
		return false
	}
	return s.conn == nil || s.waiting.bytes+s.flying > 0 || n > smallMessage
}

// mostFilters is how many filters a client may have that wants so many: fewer when its
// account's other sessions have many.
func (b *Broker) mostFilters(c *conn, want int) int {
	most := b.limits.Subscriptions
	if c.purse == nil || want <= most/fewFilters {
		return most
	}
	left := accountQueues * most
	b.door.Lock()
	defer b.door.Unlock()
	for _, s := range b.sessions.all() {
		if s.purse == c.purse && s != c.session {
			left -= b.subs.count(s.id)
		}
	}
	return max(min(most, left), most/fewFilters)
}
