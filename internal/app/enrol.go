package app

import (
	"context"
	"crypto/tls"
	"fmt"
	"path/filepath"

	"camqtt/dashboard"
	"camqtt/internal/access"
	"camqtt/internal/cert"
	"camqtt/internal/config"
	"camqtt/internal/enrol"
	"camqtt/internal/wire"
)

// joinEndpoint is a TLS port by which nodes can join, and the certificate it shows.
type joinEndpoint struct {
	enrol.Endpoint
	source *cert.Source
}

// enrolment is how nodes join.
type enrolment struct {
	cfg       *config.Config
	hub       *enrol.Hub     // nil: nodes cannot join, because there are no accounts here
	endpoints []joinEndpoint // ports through which nodes can join
}

// Invitations is where a hub's invitations are, given its accounts file.
func Invitations(accounts string) enrol.InviteStore {
	return enrol.InviteStore(filepath.Join(filepath.Dir(accounts), enrol.FileName))
}

// addEnrolment lets nodes join if there is a broker with accounts for them.
func addEnrolment(p *process) error {
	if p.cfg.Broker == nil || p.accounts == nil || p.cfg.Broker.Data == "" {
		return nil
	}
	file := AccountsFile(p.cfg.Broker.Data)
	hub, err := enrol.New(enrol.Options{
		Invites: Invitations(file), Accounts: file, Guard: p.accounts,
		Base: p.cfg.Base, Prefix: p.cfg.HomeAssistant.Prefix, Endpoint: p.enrolment.endpoint, Log: p.log,
		InUse: func(id wire.ID) error { return p.hub.inUse().Check(id) },
	})
	if err != nil {
		return fmt.Errorf("let cameras join: %w", err)
	}
	p.enrolment.hub = hub
	p.add("enrolment", hub)
	return nil
}

// protocols are those that TLS ports speak beside their own.
func (e *enrolment) protocols() map[string]func(*tls.Conn) {
	if e.hub == nil {
		return nil
	}
	return map[string]func(*tls.Conn){enrol.Protocol: e.hub.Handle}
}

// offer lets nodes join through a TLS port. shared reports that it shows the broker's
// certificate.
func (e *enrolment) offer(d enrol.Endpoint, s *cert.Source, shared bool, conf *tls.Config) *tls.Config {
	if e.hub == nil {
		return conf
	}
	t := e.cfg.Broker.TLS
	d.Names = t.Names
	if shared && len(t.ACME.Domains) > 0 {
		d.Public = true
		if len(d.Names) == 0 {
			d.Names = t.ACME.Domains
		}
	}
	e.endpoints = append(e.endpoints, joinEndpoint{d, s})
	return enrol.Offer(conf)
}

// door is the port by which nodes join: the first that others can reach, else the
// first. false: there is none, or no certificate yet.
func (e *enrolment) endpoint() (enrol.Endpoint, bool) {
	var best *joinEndpoint
	for i := range e.endpoints {
		if d := &e.endpoints[i]; best == nil || best.Local() && !d.Local() {
			best = d
		}
	}
	if best == nil {
		return enrol.Endpoint{}, false
	}
	pin, ok := best.source.Pin()
	d := best.Endpoint
	d.Pin = pin
	return d, ok
}

// pageInvitations lets admins invite cameras in the page.
type pageInvitations struct{ hub *enrol.Hub }

// enroller is what invites cameras in the page; nil where no camera can join.
func (e *enrolment) enroller() dashboard.Enroller {
	if e.hub == nil {
		return nil
	}
	return pageInvitations{e.hub}
}

// Invite makes a join string and draws it.
func (p pageInvitations) Invite(ctx context.Context, by access.Principal, id wire.ID) (dashboard.Invitation, error) {
	in, err := p.hub.Invite(ctx, by, id)
	if err != nil {
		return dashboard.Invitation{}, err
	}
	out := dashboard.Invitation{Join: in.Code.Text(), Expires: in.Expires}
	if qr, err := enrol.NewQR(out.Join); err == nil { // the text alone is enough
		out.QR = qr.PNG()
	}
	return out, nil
}
