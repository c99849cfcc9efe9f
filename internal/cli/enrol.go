package cli

import (
	"crypto/tls"
	"fmt"
	"net"
	"path/filepath"

	"camqtt/internal/cert"
	"camqtt/internal/enrol"
	"camqtt/internal/wire"
)

// joinDoor is a TLS port by which nodes can join, and the certificate it shows.
type joinDoor struct {
	enrol.Door
	source *cert.Source
}

// bookOf is where a hub's invitations are, given its accounts file.
func bookOf(accounts string) enrol.Book {
	return enrol.Book(filepath.Join(filepath.Dir(accounts), enrol.FileName))
}

// addEnrolment lets nodes join where there is a broker with accounts for them.
func (b *plant) addEnrolment() error {
	if b.cfg.Broker == nil || b.accounts == nil || b.cfg.Broker.Data == "" {
		return nil
	}
	file := accountsFile(b.cfg.Broker.Data)
	hub, err := enrol.New(enrol.Options{
		Book: bookOf(file), Accounts: file, Guard: b.accounts,
		Base: b.cfg.Base, Prefix: b.cfg.HomeAssistant.Prefix, Door: b.door, Log: b.log,
		InUse: func(id wire.ID) error { return b.inUse().Check(id) },
	})
	if err != nil {
		return fmt.Errorf("let cameras join: %w", err)
	}
	b.joining = hub
	b.add("enrolment", hub)
	return nil
}

// protocols are those that TLS ports speak beside their own.
func (b *plant) protocols() map[string]func(*tls.Conn) {
	if b.joining == nil {
		return nil
	}
	return map[string]func(*tls.Conn){enrol.Protocol: b.joining.Handle}
}

// joinable makes a TLS port one by which nodes can join, if there is one at all.
func (b *plant) joinable(scheme string, l net.Listener, s *cert.Source, conf *tls.Config) *tls.Config {
	if b.joining == nil {
		return conf
	}
	t := b.cfg.Broker.TLS
	d := enrol.Door{Listen: l.Addr().String(), Scheme: scheme, Names: t.Names}
	if s == b.shared && len(t.ACME.Domains) > 0 {
		d.Public = true
		if len(d.Names) == 0 {
			d.Names = t.ACME.Domains
		}
	}
	b.doors = append(b.doors, joinDoor{d, s})
	return enrol.Offer(conf)
}

// door is the port by which nodes join: the first that others can reach, else the
// first. false: there is none, or no certificate yet.
func (b *plant) door() (enrol.Door, bool) {
	var best *joinDoor
	for i := range b.doors {
		if d := &b.doors[i]; best == nil || best.Local() && !d.Local() {
			best = d
		}
	}
	if best == nil {
		return enrol.Door{}, false
	}
	pin, ok := best.source.Pin()
	d := best.Door
	d.Pin = pin
	return d, ok
}
