package broker

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
)

// action is what a principal wants to do with a topic.
type action byte

const (
	publish   action = iota // send a message, or have one sent as a will
	subscribe               // ask for the messages under a filter
	receive                 // be handed one message
)

func (a action) String() string {
	return [...]string{"publish", "subscribe", "receive"}[a]
}

// rank orders principals by what they may do. A session is never taken over by a
// principal of a lower rank than its owner's.
type rank byte

const (
	nobody  rank = iota // may not even connect
	reader              // may subscribe
	user                // may do everything a client can do
	process             // a part of this program, joined by a pipe
)

// principal is who a connection acts for.
type principal struct {
	rank rank
	name string // for the log; empty while there are no accounts
}

// Who gets in without an account: values of [Options].Anonymous.
const (
	anonymousLoopback = "loopback"
	anonymousRead     = "read"
	anonymousAll      = "all"
	anonymousNever    = "never"
)

func checkAnonymous(s string) error {
	switch s {
	case anonymousLoopback, anonymousRead, anonymousAll, anonymousNever:
		return nil
	}
	return fmt.Errorf("anonymous is %q, wanted loopback, read, all or never", s)
}

// identify says who is behind a connection that came from the given address.
// A pipe has no other end than this process, so it needs no password.
func identify(anonymous string, from net.Addr) principal {
	near := false
	if from != nil {
		switch from.Network() {
		case "pipe":
			return principal{rank: process, name: "process"}
		case "unix":
			near = true
		default:
			ip, ok := address(from)
			near = ok && ip.IsLoopback()
		}
	}
	switch {
	case anonymous == anonymousAll, near && anonymous != anonymousNever:
		return principal{rank: user}
	case anonymous == anonymousRead:
		return principal{rank: reader}
	}
	return principal{}
}

// address gives the IP address of the other end, if it has one.
func address(a net.Addr) (netip.Addr, bool) {
	if a == nil {
		return netip.Addr{}, false
	}
	if t, ok := a.(*net.TCPAddr); ok {
		ip, ok := netip.AddrFromSlice(t.IP)
		return ip.Unmap(), ok
	}
	p, err := netip.ParseAddrPort(a.String())
	return p.Addr().Unmap(), err == nil
}

// allowed says whether p may do a with a topic (or, for subscribe, a filter). What
// is not named here is denied. It is asked for every message and every receiver, so
// it allocates nothing.
func allowed(p principal, a action, topic string) bool {
	system := strings.HasPrefix(topic, "$")
	if _, _, shared := share(topic); shared && a == subscribe {
		system = false
	}
	switch a {
	case publish:
		return p.rank >= user && !system
	case subscribe, receive:
		if system {
			return p.rank >= reader && (topic == "$SYS" || strings.HasPrefix(topic, "$SYS/"))
		}
		return p.rank >= reader
	}
	return false
}
