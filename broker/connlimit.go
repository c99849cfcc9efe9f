package broker

import (
	"errors"
	"fmt"
)

const (
	// bridgeSpare is how many connections a bridge has beside one for each of its cameras.
	bridgeSpare = 8
	// reservedPart of Limits.Connections is for cameras only.
	reservedPart = 10
)

// connLimit counts the connections of authenticated clients, so that no
// account can take those that others need. It is guarded by Broker.sessions.sessionMu.
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
