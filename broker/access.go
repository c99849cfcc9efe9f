package broker

import (
	"context"
	"errors"
	"fmt"

	"camqtt/internal/access"
	"camqtt/internal/mqtt"
)

// Introduced is what a connection given to [Broker.Attach] implements beside net.Conn
// when it came by HTTP. Credentials in CONNECT count before it.
type Introduced interface {
	// Visitor is who has come, as far as HTTP has found out; false when it has not.
	Visitor() (access.Principal, bool)
}

// allowed says whether p may do a with a topic or, for [access.Subscribe], a filter.
func (b *Broker) allowed(p access.Principal, a access.Action, topic string) bool {
	return b.topics.Allowed(p, a, topic)
}

// knows says who is behind a connection. It may take a while, in which only this
// connection waits.
func (b *Broker) knows(c *conn, user, secret string) (access.Principal, error) {
	visitor, web := c.raw.(Introduced)
	if web && user == "" && secret == "" {
		if p, known := visitor.Visitor(); known && b.access.Current(p) {
			return p, nil
		}
	}
	if c.vouched != "" && secret == "" { // the authority that signed its certificate has said who it is
		if p, known := b.access.Lookup(c.vouched); known {
			return p, nil
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), b.limits.ConnectTime)
	defer cancel()
	return b.access.Identify(ctx, access.Attempt{User: user, Secret: secret, From: c.RemoteAddr(), Web: web, Device: c.id})
}

// stranger gives the answer to somebody who was not let in.
func stranger(err error) mqtt.Code {
	var slow *access.Slow
	switch {
	case errors.Is(err, access.ErrNone):
		return mqtt.NotAuthorized
	case errors.Is(err, access.ErrWrong):
		return mqtt.BadUserNameOrPassword
	case errors.As(err, &slow):
		return mqtt.ConnectionRateExceeded
	}
	return mqtt.ServerBusy
}

// identified finds out who sent a CONNECT and whether he may have what it asks for.
func (c *conn) identified(pk *mqtt.ConnectPacket) (mqtt.Code, error) {
	b := c.b
	p, err := b.identify(c, pk.UserName, pk.Password)
	if err != nil {
		return stranger(err), err
	}
	c.who, c.terms.who, c.purse = p, p, b.purseOf(p)
	if c.account = p.Name; p.Name == "" {
		c.account = "\x00" + c.id // no account has such a name
	}
	c.commands = newCommandLine(c)
	if w := c.last; w != nil && !(b.allowed(p, access.Will, w.m.topic) && (!w.m.retain || b.allowed(p, access.Retain, w.m.topic))) {
		return mqtt.NotAuthorized, fmt.Errorf("its will may not be published to %q", w.m.topic)
	}
	if b.squats(p, c.id) {
		return mqtt.InvalidClientID, fmt.Errorf("its identifier is the name of another account")
	}
	return mqtt.Success, nil
}

// squats reports whether an identifier is the name of another account: a camera that
// knows no other identifier than its own name shall find it free.
func (b *Broker) squats(p access.Principal, id string) bool {
	return p.Name != id && p.Role != access.Hub && b.access.Named(id)
}

// lapsed reports whether somebody may not have any more what he has under an identifier:
// his account has gone or changed, or the identifier is another's name now.
func (b *Broker) lapsed(p access.Principal, id string) bool {
	return !b.access.Current(p) || b.squats(p, id)
}

// errTaken is how a connection ends whose identifier belongs to somebody else.
var errTaken = errors.New("its identifier is somebody else's")

// revoke ends what has lapsed: connections, sessions and what waits in them. Wills that
// may still be said are, because who wanted them has gone.
func (b *Broker) revoke() {
	for _, c := range b.connections() {
		if c.established.Load() && b.lapsed(c.who, c.id) {
			c.revoked()
		}
	}
	b.door.Lock()
	defer b.door.Unlock()
	for _, s := range b.sessions.all() {
		if !b.lapsed(s.who, s.id) {
			continue
		}
		s.mu.Lock()
		s.terms.who = access.Principal{}
		s.mu.Unlock()
		if s.owner == nil {
			b.remove(s)
			b.wills.now(s.id)
		}
	}
	b.changed()
}

// revoked ends a connection that has lapsed.
func (c *conn) revoked() {
	c.b.log.client(c, "connection closed, its account or that of its identifier has changed", "user", c.who.Name)
	c.kick(mqtt.NotAuthorized)
}
