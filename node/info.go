package node

import (
	"reflect"
	"slices"
	"time"

	"camqtt/internal/wire"
	"camqtt/node/camera"
)

// infoPublisher publishes what the camera is.
type infoPublisher struct {
	topics
	opts     Options
	instance string
	started  time.Time
	sensors  []string // what stats will have
	settings *settings
	outbox   *outbox
	serving  func() bool // this node may publish
	changed  func()

	told    wire.Info      // as last published
	profile camera.Profile // as last looked at
}

// info is what the camera is as far as is known now.
func (i *infoPublisher) info() wire.Info {
	p := i.opts.Source.Profile()
	info := wire.Info{
		Schema: wire.Schema, ID: i.opts.ID, Name: i.settings.name(), Model: p.Model, Source: p.Kind,
		MaxFPS: i.settings.number(wire.SetFPS), Caps: caps(p), Version: i.opts.Version, Host: i.opts.Host,
		Instance: i.instance, Started: wire.At(i.started),
		TopFPS: p.MaxFPS, StatsEvery: i.opts.StatsEvery.Seconds(), Sensors: i.sensors, Bridge: i.opts.Bridge,
		Make: p.Make, Serial: p.Serial, Hardware: i.opts.Hardware, Labels: i.opts.Labels,
	}
	if longest := firstFrame(p) + snapGrace; longest > wire.UsualSnapTime && !p.Unasked {
		info.SnapTimeout = longest.Seconds()
	}
	if p.MaxFPS > 0 {
		info.MaxFPS = min(info.MaxFPS, p.MaxFPS)
	}
	for _, s := range p.Sizes {
		if most := i.opts.Size; most == (wire.Size{}) || wire.Size(s).Pixels() <= most.Pixels() {
			info.Sizes = append(info.Sizes, wire.Size(s).String())
		}
	}
	return info
}

// caps lists what the camera obeys and which newer commands the node knows. The rate
// always is obeyed: where the source does not slow down, the node drops pictures.
func caps(p camera.Profile) []string {
	all := []string{camera.CapFPS}
	for _, c := range []string{camera.CapFlash, camera.CapQuality, camera.CapSize} {
		if slices.Contains(p.Caps, c) {
			all = append(all, c)
		}
	}
	return append(all, wire.CapStill)
}

// current is the message with info, which must be published at once: Options.Informed is told
// the same.
func (i *infoPublisher) current() wire.Message {
	info := i.info()
	i.told = info
	if i.opts.Informed != nil {
		i.opts.Informed(&info)
	}
	return i.json(wire.KindInfo, info)
}

// learn publishes what the camera has turned out to be.
func (i *infoPublisher) learn() {
	p := i.opts.Source.Profile()
	if reflect.DeepEqual(p, i.profile) {
		return
	}
	if p.Warning != i.profile.Warning {
		i.changed()
	}
	i.profile = p
	i.refresh()
}

// refresh publishes info again if it has changed.
func (i *infoPublisher) refresh() {
	if i.serving() && !reflect.DeepEqual(i.info(), i.told) {
		i.outbox.publish(i.current())
	}
}
