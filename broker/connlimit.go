package broker

import (
	"errors"
	"fmt"

	"camqtt/internal/access"
	"camqtt/internal/mqtt"
)

const (
	// bridgeSpare is how many connections a bridge has beside one for each of its cameras.
	bridgeSpare = 8
	// reservedPart of Limits.Connections is for cameras only.
	reservedPart = 10
)

// connLimit counts the connections of clients that have been identified, so that no
// account can take those that others need. It is guarded by Broker.door.
type connLimit struct {
	byAccount map[string]int
	others    int // connections that are no camera's
}

// connAccount is what a client's connection counts as.
type connAccount struct {
	key    string // "": it is not counted by account
	most   int
	camera bool // it may have those that are reserved, and commands come at its pace
	exempt bool // a part of this program
}

var errAllReserved = errors.New("too many connections are open: the rest is for cameras")

// join counts a connection, or says why there is no room for it.
func (l *connLimit) join(a connAccount, most int) error {
	switch n := l.byAccount[a.key]; {
	case a.exempt:
		return nil
	case a.key != "" && n >= a.most:
		return fmt.Errorf("its account has %d connections open, which is its limit", n)
	case !a.camera && l.others >= most-most/reservedPart:
		return errAllReserved
	}
	if a.key != "" {
		l.byAccount[a.key]++
	}
	if !a.camera {
		l.others++
	}
	return nil
}

// leave ends what join has counted.
func (l *connLimit) leave(a connAccount) {
	if a.exempt {
		return
	}
	if !a.camera {
		l.others--
	}
	if a.key == "" {
		return
	}
	if l.byAccount[a.key]--; l.byAccount[a.key] == 0 {
		delete(l.byAccount, a.key)
	}
}

// nearly reports whether an account uses 80 % of its connections or more.
func (l *connLimit) nearly(a connAccount) bool {
	return a.key != "" && 5*l.byAccount[a.key] >= 4*a.most
}

// connAccount says as what a connection counts that has been identified.
func (c *conn) connAccount() connAccount {
	p, l := c.who, &c.b.limits
	ip, remote := access.IP(c.RemoteAddr())
	near := !remote || ip.IsLoopback()
	a := connAccount{key: p.Name, most: l.PerAccount, exempt: p.Role == access.Hub}
	a.camera = p.Role == access.Camera || p.Role == access.Bridge
	switch {
	case p.Role == access.Bridge:
		a.most = len(p.Cameras) + bridgeSpare
	case p.Role == access.Admin, p.Name == "" && near:
		a.key = ""
	case p.Name == "":
		a.key = "\x00" + access.Household(ip).String() // no account has such a name
	}
	if w := c.last; !a.camera && w != nil && (p.Role == access.Admin || p.Role == access.Anyone || p.Role == access.Hub) {
		// Cameras without an account of their own are known by their will.
		a.camera = c.b.allowed(access.Principal{Role: access.Bridge, All: true}, access.Will, w.m.topic)
	}
	return a
}

// evictPending ends a connection that is over and only read on, or the one that has been
// open for longest without sending CONNECT. false: there is none.
func (b *Broker) evictPending() bool {
	var oldest *conn
	for _, c := range b.connections() {
		if c.lingers.Load() {
			_ = c.raw.Close()
			return true
		}
		if !c.connecting.Load() && c.kicked.Load() == nil && (oldest == nil || c.opened.Before(oldest.opened)) {
			oldest = c
		}
	}
	if oldest == nil {
		return false
	}
	b.log.client(oldest, "connection closed, it has sent no CONNECT and all connections are open")
	oldest.kick(mqtt.ServerBusy)
	return true
}
