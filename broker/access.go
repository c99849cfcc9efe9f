package broker

import (
	"crypto/tls"
	"errors"
	"fmt"

	"camqtt/internal/access"
	"camqtt/internal/clientip"
	"camqtt/internal/mqtt"
)

// Authenticated is what a connection given to [Broker.Attach] implements beside net.Conn
// when it came by HTTP. Credentials in CONNECT count before it.
type Authenticated interface {
	// RequestUser gives the user of the HTTP request; false when it has none.
	RequestUser() (access.Principal, bool)
}

// refusalOf gives the reason code for a client that was not authenticated.
func refusalOf(err error) mqtt.Code {
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

// authenticate finds the account of the client and whether it may publish its will and use
// its identifier.
func (h *handshake) authenticate() (mqtt.Code, error) {
	b := h.b
	p, err := b.identify(h.conn, h.pk.UserName, h.pk.Password)
	if err != nil {
		return refusalOf(err), err
	}
	h.who, h.terms.who, h.quota = p, p, b.quotas.of(p)
	h.in.quota = h.quota
	if h.account = p.Name; p.Name == "" {
		h.account = "\x00" + h.id // no account has such a name
	}
	h.commands = newCommandLine(&h.handler)
	if w := h.last; w != nil && !(b.rights.allowed(p, access.Will, w.m.topic) && (!w.m.retain || b.rights.allowed(p, access.Retain, w.m.topic))) {
		return mqtt.NotAuthorized, fmt.Errorf("its will may not be published to %q", w.m.topic)
	}
	if b.rights.isOtherAccountsName(p, h.id) {
		return mqtt.InvalidClientID, fmt.Errorf("its identifier is the name of another account")
	}
	return mqtt.Success, nil
}

// checkCertificate takes the name that the client's TLS certificate was verified for, on plain
// connections and on WebSockets alike. A client may not give itself another: its
// certificate is its account.
func (h *handshake) checkCertificate(user string) error {
	t, ok := h.line.(*tls.Conn)
	if !ok {
		return nil
	}
	s := t.ConnectionState() // CONNECT was read, so the handshake is over
	if len(s.VerifiedChains) == 0 {
		return nil
	}
	h.certificateName = s.PeerCertificates[0].Subject.CommonName
	if user != "" && user != h.certificateName {
		return fmt.Errorf("its certificate is of %q, but it says it is %q", h.certificateName, user)
	}
	return nil
}

// connAccount says as what the connection of an authenticated client counts.
func (h *handshake) connAccount() connAccount {
	p, l := h.who, &h.b.limits
	ip, remote := clientip.Of(h.RemoteAddr())
	near := !remote || ip.IsLoopback()
	a := connAccount{key: p.Name, most: l.PerAccount, exempt: p.Role == access.Hub}
	a.camera = p.Role == access.Camera || p.Role == access.Bridge
	switch {
	case p.Role == access.Bridge:
		a.most = len(p.Cameras) + bridgeSpare
	case p.Role == access.Admin, p.Name == "" && near:
		a.key = ""
	case p.Name == "":
		a.key = "\x00" + clientip.Group(ip).String() // no account has such a name
	}
	if w := h.last; !a.camera && w != nil && (p.Role == access.Admin || p.Role == access.Anyone || p.Role == access.Hub) {
		// Cameras without an account of their own are known by their will.
		a.camera = h.b.rights.allowed(access.Principal{Role: access.Bridge, All: true}, access.Will, w.m.topic)
	}
	return a
}

// errTaken refuses a client whose identifier belongs to another account.
var errTaken = errors.New("its identifier belongs to another account")
