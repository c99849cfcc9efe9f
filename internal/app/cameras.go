package app

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"camqtt/internal/config"
	"camqtt/internal/homeassistant/announce"
	"camqtt/internal/mqttclient"
	"camqtt/internal/run"
	"camqtt/internal/usage"
	"camqtt/internal/wire"
	"camqtt/node"
	"camqtt/node/camera"
	"camqtt/node/camera/kinds"
	"camqtt/node/camera/push"
)

// fleet builds the cameras of a process.
type fleet struct {
	*process
	host   string
	bridge bridge
	memory memory
	boards []push.Camera
}

// addCameras adds every camera, each with a connection of its own.
func addCameras(p *process) error {
	if len(p.cfg.Cameras) == 0 {
		return nil
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	f := &fleet{process: p, host: host, bridge: bridgeOf(p.cfg.Cameras, host), memory: newMemory(Environment(p.o.Environ), p.cfg, p.log)}
	var all []run.Named
	for _, c := range p.cfg.Cameras {
		s, err := f.camera(c)
		if err != nil {
			return usage.Error(fmt.Errorf("camera %s: %w", c.ID, err), "")
		}
		all = append(all, run.Named{Name: "camera " + string(c.ID), Service: s})
	}
	p.add("cameras", run.Together(all...))
	return addPush(p, f.boards)
}

// camera makes one camera's node and connection.
func (f *fleet) camera(c config.Camera) (run.Service, error) {
	log := f.log.With("cam", string(c.ID))
	var l *mqttclient.Link
	o, closeMemory, err := f.nodeOptions(c, log)
	if err != nil {
		return nil, err
	}
	o.Link = LateLink{&l}
	var a *announce.Announcer
	if !f.hub.embedded() { // else the process of the broker announces it
		if a, err = f.announcer(c, o.Link, log); err != nil {
			return nil, err
		}
		o.Informed = a.Info
	}
	n, err := node.New(o)
	if err != nil {
		return nil, err
	}
	f.check(run.Check{Name: "camera " + string(c.ID), Alive: n.Alive})
	lo, err := f.linkOptions(n, c.ID, log)
	if err != nil {
		return nil, err
	}
	parts := []run.Named{{Name: "node", Service: n}}
	if a != nil {
		listenFor(&lo, a, f.cfg.MQTT)
		parts = append(parts, run.Named{Name: "announcer", Service: a})
	}
	if l, err = mqttclient.New(lo); err != nil {
		return nil, err
	}
	return run.Func(func(ctx context.Context) error {
		defer closeMemory()
		return run.All(ctx, append([]run.Named{{Name: "connection", Service: l}}, parts...)...)
	}), nil
}

// nodeOptions opens the source of a camera and returns the options of its node, and what
// ends the use of its memory.
func (f *fleet) nodeOptions(c config.Camera, log *slog.Logger) (node.Options, func(), error) {
	source, err := kinds.Open(c.Source, camera.Options{
		Rotate: c.Rotate, Log: log, Check: c.Check, Settle: settle(c.Settle), Inbox: inbox(c, &f.boards),
		Base: string(f.cfg.Base), Subscribe: f.subscribe(c, log), User: c.User, Password: c.Password(),
	})
	if err != nil {
		return node.Options{}, nil, err
	}
	number, _ := Version()
	keep, closeMemory := f.memory.of(c)
	o := node.Options{
		ID: c.ID, Base: f.cfg.Base, Name: c.Name, Source: source, Log: log,
		Size: c.Size, FPS: c.FPS, Quality: c.Quality, Orientation: orientation(c.Rotate, source),
		StatsEvery: c.StatsEvery, MaxImageBytes: c.MaxImageBytes, Labels: c.Labels, Settings: settingsOf(c),
		Version: number, Host: f.host, Store: keep, Given: settingsAmong(f.o.Given[c.ID]), FirstPicture: firstPicture,
	}
	if remote(c) {
		o.Bridge = f.bridge.id
	} else {
		o.Hardware = hardware()
	}
	return o, closeMemory, nil
}

// announcer announces one camera to Home Assistant.
func (f *fleet) announcer(c config.Camera, l node.Link, log *slog.Logger) (*announce.Announcer, error) {
	o := announce.Options{Hass: discovery(f.process), Link: l, Log: log, Camera: c.ID}
	if remote(c) {
		o.Bridge = f.bridge.shared
	}
	return announce.New(o)
}

// linkOptions are those of a node's connection.
func (f *fleet) linkOptions(n *node.Node, id wire.ID, log *slog.Logger) (mqttclient.Options, error) {
	o, err := f.hub.link()
	if err != nil {
		return o, err
	}
	will := n.Will()
	o.ClientID, o.Log, o.Will = n.ClientID(), log, &will
	o.Subscriptions = nodeSubscriptions(n, f.cfg.MQTT)
	o.RefusedHint = "The password is right, but the account is not for camera " + string(id) + ": want an account for it, or the id that the account is for"
	o.Receive, o.Up, o.Down = n.Handle, n.LinkUp, n.LinkDown
	o.Limits = func(x mqttclient.Limits) { n.BrokerLimits(node.BrokerLimits(x)) }
	n.BrokerLimits(node.BrokerLimits{NoRetain: o.NoRetain})
	return o, nil
}

// firstPicture is the time after its start within which every camera takes a picture.
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
// leaves it to the source, and less is none.
func settle(s config.Settle) time.Duration {
	switch {
	case s < 0:
		return 0
	case s == 0:
		return -1
	}
	return time.Duration(s)
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

// settingsOf are the settings that the configuration hands over to the node.
func settingsOf(c config.Camera) (all []wire.Change) {
	for key, value := range c.Settings {
		if change, err := wire.ParseChange(key, fmt.Sprint(value)); err == nil { // the configuration has been checked
			all = append(all, change)
		}
	}
	return all
}
