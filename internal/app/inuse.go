package app

import (
	"context"
	"log/slog"
	"time"

	"camqtt/internal/access"
	"camqtt/internal/config"
	"camqtt/internal/inuse"
	"camqtt/internal/wire"
)

// Served returns the cameras that a process serves on its own broker.
func Served(cfg *config.Config) (ids []wire.ID) {
	if cfg.Broker == nil || len(cfg.MQTT.URL) > 0 {
		return nil
	}
	for _, c := range cfg.Cameras {
		ids = append(ids, c.ID)
	}
	return ids
}

// inUseList writes the cameras of a hub to its data folder, for commands.
type inUseList struct {
	dir string
	now func() inuse.List
	log *slog.Logger
}

// Serve runs until ctx is done. It logs the first of several failed writes.
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

// CheckInUse refuses an account of a camera or bridge for a camera that a hub has.
func CheckInUse(l inuse.List, a access.Account) error {
	if a.Role != access.Camera && a.Role != access.Bridge {
		return nil
	}
	return l.Check(a.Cameras...)
}
