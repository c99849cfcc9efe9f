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

// identify finds the account of a client. It may take a while, in which only this
// connection waits.
func (r *rights) identify(c *conn, user, secret string) (access.Principal, error) {
	request, web := c.raw.(Authenticated)
	if web && user == "" && secret == "" {
		if p, known := request.RequestUser(); known && r.accounts.Current(p) {
			return p, nil
		}
	}
	if c.certificateName != "" && secret == "" { // its certificate names its account
		if p, known := r.accounts.Lookup(c.certificateName); known {
			return p, nil
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), r.patience)
	defer cancel()
	return r.accounts.Identify(ctx, access.Attempt{User: user, Secret: secret, From: c.RemoteAddr(), Web: web, Device: c.id})
}

// isOtherAccountsName reports whether an identifier is the name of another account: a camera that
// knows no other identifier than its own name shall find it free.
func (r *rights) isOtherAccountsName(p access.Principal, id string) bool {
	return p.Name != id && p.Role != access.Hub && r.accounts.Named(id)
}

// revoked reports whether a client has lost its rights: its account has gone or changed, or
// its identifier has become the name of another account.
func (r *rights) revoked(p access.Principal, id string) bool {
	return !r.accounts.Current(p) || r.isOtherAccountsName(p, id)
}

// mayPublishWill reports whether a will may still be published: its account is unchanged,
// or it is the status of a camera. A command of an account that has gone since it connected
// is not.
func (r *rights) mayPublishWill(p access.Principal, topic string) bool {
	return r.accounts.Current(p) || r.allowed(access.Principal{Role: access.Bridge, All: true}, access.Will, topic)
}
