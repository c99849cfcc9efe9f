package cli

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"camqtt/internal/config"
	"camqtt/internal/hass"
	"camqtt/internal/link"
	"camqtt/internal/run"
	"camqtt/internal/wire"
	"camqtt/node"
	"camqtt/node/camera"
	"camqtt/node/camera/push"
)

// addCameras adds every camera, each with a connection of its own.
func (b *plant) addCameras() error {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	var all []run.Named
	var boards []push.Camera
	for _, c := range b.cfg.Cameras {
		inbox := b.inbox(c, &boards)
		s, err := b.camera(c, host, inbox)
		if err != nil {
			return usage(fmt.Errorf("camera %s: %w", c.ID, err), "")
		}
		all = append(all, run.Named{Name: "camera " + string(c.ID), Service: s})
	}
	b.add("cameras", run.Together(all...))
	return b.addPush(boards)
}

// camera makes one camera's node and connection.
func (b *plant) camera(c config.Camera, host string, inbox *camera.Inbox) (run.Service, error) {
	log := b.log.With("cam", string(c.ID))
	source, err := camera.Open(c.Source, camera.Options{Rotate: c.Rotate, Log: log, Check: c.Check, Settle: settle(c.Settle), Inbox: inbox})
	if err != nil {
		return nil, err
	}
	number, _ := version()
	lo, err := b.linkOptions()
	if err != nil {
		return nil, err
	}
	var l *link.Link
	o := node.Options{
		ID: c.ID, Base: b.cfg.Base, Name: c.Name, Source: source, Link: lateLink{&l}, Log: log,
		Size: c.Size, FPS: c.FPS, Quality: c.Quality, Orientation: orientation(c.Rotate, source),
		KeepWarm: orNone(c.KeepWarm), MaxStream: orNone(c.MaxStream), PreviewEvery: c.PreviewEvery, StatsEvery: c.StatsEvery,
		SnapEvery: c.SnapEvery, MaxImageBytes: c.MaxImageBytes, ForgetPictures: !c.RetainPictures,
		Version: number, Host: host,
	}
	if h := b.hass(c); h.Mode != hass.Off {
		if err := h.Check(); err != nil {
			return nil, err
		}
		o.AnnounceOn = h.BirthTopic()
		o.Announce = func(i wire.Info) []wire.Message {
			msgs, err := h.Messages(i)
			if err != nil {
				log.Error("not announced to Home Assistant", "err", err)
			}
			return msgs
		}
	}
	n, err := node.New(o)
	if err != nil {
		return nil, err
	}
	b.checks = append(b.checks, run.Check{Name: "camera " + string(c.ID), Alive: n.Alive})
	will := n.Will()
	lo.ClientID, lo.Log, lo.Will = n.ClientID(), log, &will
	lo.Subscriptions = subscriptions(n.Filters(), b.cfg.MQTT)
	lo.Receive, lo.Up, lo.Down = n.Handle, n.LinkUp, n.LinkDown
	if l, err = link.New(lo); err != nil {
		return nil, err
	}
	return run.Func(func(ctx context.Context) error {
		return run.All(ctx, run.Named{Name: "connection", Service: l}, run.Named{Name: "node", Service: n})
	}), nil
}

// hass is how a camera announces itself to Home Assistant.
func (b *plant) hass(c config.Camera) hass.Options {
	number, _ := version()
	return hass.Options{
		Mode: hass.Mode(b.cfg.HomeAssistant.Discovery), Prefix: b.cfg.HomeAssistant.Prefix,
		Base: b.cfg.Base, Version: number, StatsEvery: c.StatsEvery,
	}
}

// orientation is the EXIF Orientation that turns a picture as configured (EXIF
// 2.32, tag 0x0112), unless the source turns it itself.
func orientation(rotate string, s camera.Source) int {
	if slices.Contains(s.Profile().Caps, camera.CapRotate) {
		return 0
	}
	return map[string]int{"hflip": 2, "180": 3, "vflip": 4, "90": 6, "270": 8}[rotate]
}

// settle turns a configured settling time into what camera takes for it: there 0
// leaves it to the source.
func settle(s config.Settle) time.Duration {
	if s < 0 {
		return 0
	}
	return orNone(time.Duration(s))
}

// orNone turns a configured 0, which is none, into what node and camera take for it.
func orNone(d time.Duration) time.Duration {
	if d == 0 {
		return -1
	}
	return d
}
