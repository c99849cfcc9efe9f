package broker

import (
	"context"
	"time"

	"camqtt/internal/access"
)

// rights decide who a client is and what it may do.
type rights struct {
	topics   access.Space
	accounts *access.Accounts
	patience time.Duration // how long finding out who a client is may take
}

// allowed says whether p may do a with a topic or, for [access.Subscribe], a filter.
func (r *rights) allowed(p access.Principal, a access.Action, topic string) bool {
	return r.topics.Allowed(p, a, topic)
}

// identify says who is behind a connection. It may take a while, in which only this
// connection waits.
func (r *rights) identify(c *conn, user, secret string) (access.Principal, error) {
	visitor, web := c.raw.(Introduced)
	if web && user == "" && secret == "" {
		if p, known := visitor.Visitor(); known && r.accounts.Current(p) {
			return p, nil
		}
	}
	if c.vouched != "" && secret == "" { // the authority that signed its certificate has said who it is
		if p, known := r.accounts.Lookup(c.vouched); known {
			return p, nil
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), r.patience)
	defer cancel()
	return r.accounts.Identify(ctx, access.Attempt{User: user, Secret: secret, From: c.RemoteAddr(), Web: web, Device: c.id})
}

// squats reports whether an identifier is the name of another account: a camera that
// knows no other identifier than its own name shall find it free.
func (r *rights) squats(p access.Principal, id string) bool {
	return p.Name != id && p.Role != access.Hub && r.accounts.Named(id)
}

// lapsed reports whether somebody may not have any more what he has under an identifier:
// his account has gone or changed, or the identifier is another's name now.
func (r *rights) lapsed(p access.Principal, id string) bool {
	return !r.accounts.Current(p) || r.squats(p, id)
}

// sayable reports whether somebody's will may still be published: who he was is who he
// is, or it is what a camera says last, that it is offline. A command of somebody whose
// account has gone since he connected is not.
func (r *rights) sayable(p access.Principal, topic string) bool {
	return r.accounts.Current(p) || r.allowed(access.Principal{Role: access.Bridge, All: true}, access.Will, topic)
}
