package cli

import (
	"context"
	"log/slog"
	"path/filepath"
	"slices"
	"time"

	"camqtt/internal/access"
	"camqtt/internal/config"
	"camqtt/internal/inuse"
	"camqtt/internal/wire"
)

// served are the cameras that a process serves on its own broker.
func (b *plant) served() []wire.ID { return servedBy(b.cfg) }

func servedBy(cfg *config.Config) (ids []wire.ID) {
	if cfg.Broker == nil || len(cfg.MQTT.URL) > 0 {
		return nil
	}
	for _, c := range cfg.Cameras {
		ids = append(ids, c.ID)
	}
	return ids
}

// inUse are the cameras that this hub has now.
func (b *plant) inUse() inuse.List {
	l := inuse.List{Served: b.served()}
	if b.broker != nil {
		l.Online = slices.DeleteFunc(b.broker.Online(), func(id wire.ID) bool { return slices.Contains(l.Served, id) })
	}
	return l
}

// inUseList keeps in the data folder which cameras a hub has, for commands.
type inUseList struct {
	dir string
	now func() inuse.List
	log *slog.Logger
}

// Serve runs until ctx is done. What cannot be written is logged once.
func (s inUseList) Serve(ctx context.Context) error {
	p, err := inuse.Hold(ctx, s.dir)
	if err != nil { // commands then know less, and the hub itself goes on
		if ctx.Err() == nil {
			s.log.Warn("list of cameras not written", "err", err)
		}
		<-ctx.Done()
		return nil
	}
	defer p.Release()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	last, known, failed := inuse.List{}, false, false
	for {
		if now := s.now(); !known || !now.Equal(last) {
			err := p.Publish(now)
			if err != nil && !failed {
				s.log.Warn("list of cameras not written", "err", err)
			}
			last, known, failed = now, err == nil, err != nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// checkInUse reports an account of a camera or bridge for a camera that a hub has.
func checkInUse(l inuse.List, a access.Account) error {
	if a.Role != access.Camera && a.Role != access.Bridge {
		return nil
	}
	return l.Check(a.Cameras...)
}

// hubOf gives the cameras of the hub whose accounts a command changes: those that it has
// now, and those of the configuration that the command was given.
func (u *userFlags) hubOf(e *env, accounts string) (inuse.List, error) {
	l, err := inuse.Read(filepath.Dir(accounts))
	if err != nil || len(u.config) == 0 {
		return l, err
	}
	cfg, err := e.loadOptions(config.Options{Sources: u.config, Environ: e.Environ, ClientOnly: true})
	if err != nil {
		return l, err
	}
	l.Served = append(l.Served, servedBy(cfg)...)
	return l, nil
}

// fileFor is where accounts are, for a new one that the hub does not stand in the way of.
func (u *userFlags) fileFor(e *env, a access.Account) (string, error) {
	file, err := u.file(e)
	if err != nil {
		return "", err
	}
	return file, u.vacant(e, file, a)
}

// vacant reports an account for a camera that the hub has.
func (u *userFlags) vacant(e *env, accounts string, a access.Account) error {
	l, err := u.hubOf(e, accounts)
	if err != nil {
		return err
	}
	return checkInUse(l, a)
}
