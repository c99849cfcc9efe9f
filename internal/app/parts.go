package app

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"syscall"

	"camqtt/internal/config"
	"camqtt/internal/run"
	"camqtt/internal/usage"
)

// parts are the services of a process in the order in which they start, and the ports that
// they have bound.
type parts struct {
	cfg      *config.Config
	log      *slog.Logger
	services []run.Named
	checks   []run.Check // by which systemd knows that the process is alive
	bound    []net.Listener
}

func (p *parts) add(name string, s run.Service) {
	p.services = append(p.services, run.Named{Name: name, Service: s})
}

func (p *parts) check(c run.Check) { p.checks = append(p.checks, c) }

// listen binds a TCP port. hint is advice for a port that is taken.
func (p *parts) listen(what, addr, hint string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		err = errors.New("the port is taken, by another camqtt or another program")
	case errors.Is(err, syscall.EACCES):
		err = errors.New("not allowed; ports below 1024 need a privilege")
	}
	if err != nil {
		return nil, usage.Hint(fmt.Errorf("listen on %s for %s: %w", addr, what, err), hint)
	}
	p.bound = append(p.bound, l)
	return l, nil
}

// release closes the ports.
func (p *parts) release() {
	for _, l := range p.bound {
		_ = l.Close()
	}
}
