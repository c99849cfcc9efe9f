package cli

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"camqtt/internal/config"
	"camqtt/internal/homeassistant/announce"
	"camqtt/internal/mqttclient"
	"camqtt/internal/run"
	"camqtt/internal/wire"
	"camqtt/node"
	"camqtt/node/camera"
	"camqtt/node/camera/kinds"
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
	bridge := bridgeOf(b.cfg.Cameras, host)
	for _, c := range b.cfg.Cameras {
		s, err := b.camera(c, site{host, bridge, b.inbox(c, &boards)})
		if err != nil {
			return usage(fmt.Errorf("camera %s: %w", c.ID, err), "")
		}
		all = append(all, run.Named{Name: "camera " + string(c.ID), Service: s})
	}
	b.add("cameras", run.Together(all...))
	return b.addPush(boards)
}

// site is where a camera's node runs.
type site struct {
	host   string
	bridge bridge
	inbox  camera.PictureFeed // nil unless the camera's board sends its pictures
}

// camera makes one camera's node and connection.
func (b *plant) camera(c config.Camera, at site) (run.Service, error) {
	log := b.log.With("cam", string(c.ID))
	source, err := kinds.Open(c.Source, camera.Options{Rotate: c.Rotate, Log: log, Check: c.Check, Settle: settle(c.Settle), Inbox: at.inbox})
	if err != nil {
		return nil, err
	}
	number, _ := version()
	lo, err := b.linkOptions()
	if err != nil {
		return nil, err
	}
	var l *mqttclient.Link
	keep, forgo := b.memory.of(c)
	o := node.Options{
		ID: c.ID, Base: b.cfg.Base, Name: c.Name, Source: source, Link: lateLink{&l}, Log: log,
		Size: c.Size, FPS: c.FPS, Quality: c.Quality, Orientation: orientation(c.Rotate, source),
		KeepWarm: orNone(c.KeepWarm), MaxStream: orNone(c.MaxStream), PreviewEvery: c.PreviewEvery, StatsEvery: c.StatsEvery,
		SnapEvery: c.SnapEvery, MaxImageBytes: c.MaxImageBytes, ForgetPictures: !c.RetainPictures,
		Version: number, Host: at.host, Store: keep, Given: settingsAmong(b.given[c.ID]), FirstPicture: firstPicture,
	}
	var a *announce.Announcer
	if remote(c) {
		o.Bridge = at.bridge.id
	} else {
		o.Hardware = hardware()
		at.bridge.shared = nil
	}
	if !b.embedded() { // else the broker's own process announces it
		if a, err = announce.New(announce.Options{
			Hass: b.hass(), Link: lateLink{&l}, Log: log, Camera: c.ID, Bridge: at.bridge.shared,
		}); err != nil {
			return nil, err
		}
		o.Informed = a.Info
	}
	n, err := node.New(o)
	if err != nil {
		return nil, err
	}
	b.checks = append(b.checks, run.Check{Name: "camera " + string(c.ID), Alive: n.Alive})
	will := n.Will()
	lo.ClientID, lo.Log, lo.Will = n.ClientID(), log, &will
	lo.Subscriptions = nodeSubscriptions(n, b.cfg.MQTT)
	lo.RefusedHint = "The password is right, but the account is not for camera " + string(c.ID) + ": want an account for it, or the id that the account is for"
	lo.Receive, lo.Up, lo.Down = n.Handle, n.LinkUp, n.LinkDown
	lo.Limits = func(x mqttclient.Limits) { n.BrokerLimits(node.BrokerLimits(x)) }
	n.BrokerLimits(node.BrokerLimits{NoRetain: lo.NoRetain})
	parts := []run.Named{{Name: "node", Service: n}}
	if a != nil {
		b.listens(&lo, a)
		parts = append(parts, run.Named{Name: "announcer", Service: a})
	}
	if l, err = mqttclient.New(lo); err != nil {
		return nil, err
	}
	return run.Func(func(ctx context.Context) error {
		defer forgo()
		return run.All(ctx, append([]run.Named{{Name: "connection", Service: l}}, parts...)...)
	}), nil
}

// firstPicture is within which time of its start every camera takes a picture.
const firstPicture = 30 * time.Second

// hardware is the model of this machine: a board's, or what its firmware says; "" is
// not known.
func hardware() string {
	for _, file := range []string{"/proc/device-tree/model", "/sys/class/dmi/id/product_name"} {
		if b, err := os.ReadFile(file); err == nil {
			return strings.Trim(string(b), "\x00 \n")
		}
	}
	return ""
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

// nodeSubscriptions are those of a camera's node.
func nodeSubscriptions(n *node.Node, m config.MQTT) []mqttclient.Subscription {
	subs := subscriptions(n.Filters(), m)
	for _, f := range n.OptionalFilters() {
		subs = append(subs, mqttclient.Subscription{Filter: f, Optional: true})
	}
	return subs
}

// settingsAmong returns the keys of a camera that are settings too.
func settingsAmong(keys []string) []wire.Setting {
	var all []wire.Setting
	for _, s := range wire.Settings() {
		if slices.Contains(keys, string(s)) {
			all = append(all, s)
		}
	}
	return all
}

// orNone turns a configured 0, which is none, into what node and camera take for it.
func orNone(d time.Duration) time.Duration {
	if d == 0 {
		return -1
	}
	return d
}
