package homeassistant

import (
	"strconv"
	"strings"

	"camqtt/internal/wire"
)

// The rates that are offered for choice, in pictures per second. A camera that
// is slower than leastFPS gets finer steps.
const (
	leastFPS  = 0.1
	finestFPS = 0.001
)

func fps(s subject) *component {
	if !s.can(capFPS) {
		return nil
	}
	least := leastFPS
	if s.maxFPS > 0 && s.maxFPS < leastFPS || s.topFPS <= leastFPS {
		least = finestFPS
	}
	number := func(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
	return &component{
		Name:           named("Frame rate limit"),
		Icon:           "mdi:speedometer",
		EntityCategory: configuration,
		Availability:   s.awake(),
		StateTopic:     s.topic(wire.KindInfo),
		// A number out of its range is an error in Home Assistant's log each
		// time it comes; unknown is not.
		ValueTemplate: "{% set fps = value_json.max_fps | default(0, true) %}{{ fps if " +
			number(least) + " <= fps <= " + number(s.topFPS) + " else none }}",
		CommandTopic: s.setTopic(wire.SetFPS),
		Min:          &least,
		Max:          max(s.topFPS, 2*least),
		Step:         least,
		Mode:         "box",
		Unit:         "fps",
		QoS:          qos(wire.KindInfo, wire.KindSetKey),
	}
}

func quality(s subject) *component {
	if !s.can(capQuality) {
		return nil
	}
	return &component{
		Name:            named("JPEG quality"),
		Icon:            "mdi:quality-high",
		EntityCategory:  configuration,
		Availability:    s.awake(),
		StateTopic:      s.topic(wire.KindState),
		ValueTemplate:   field("quality"),
		CommandTopic:    s.setTopic(wire.SetQuality),
		CommandTemplate: "{{ value | int }}", // automations may send 79.9
		Min:             new(1.0),
		Max:             100,
		Step:            1,
		Mode:            "slider",
		QoS:             qos(wire.KindState, wire.KindSetKey),
	}
}

// flash is the lamp of boards that have one. It is unknown until it was set: the
// camera does not say how it was before.
func flash(s subject) *component {
	if !s.can(capFlash) {
		return nil
	}
	return &component{
		Name:            named("Lamp"),
		Icon:            "mdi:flashlight",
		EntityCategory:  configuration,
		Availability:    s.awake(),
		StateTopic:      s.topic(wire.KindState),
		ValueTemplate:   field("flash"),
		CommandTopic:    s.setTopic(wire.SetFlash),
		CommandTemplate: "{{ value | int }}",
		Min:             new(0.0),
		Max:             100,
		Step:            1,
		Mode:            "slider",
		Unit:            "%",
		QoS:             qos(wire.KindState, wire.KindSetKey),
	}
}

// size shows what was chosen, or else the size of the newest picture; one that
// was never for choice is unknown, not an error.
func size(s subject) *component {
	if !s.can(capSize) || len(s.sizes) < 2 {
		return nil
	}
	return &component{
		Name:           named("Picture size"),
		Icon:           "mdi:aspect-ratio",
		EntityCategory: configuration,
		Availability:   s.awake(),
		StateTopic:     s.topic(wire.KindState),
		ValueTemplate: "{% set size = value_json.size | default(value_json.width ~ 'x' ~ value_json.height, true) %}{{ size if size in ['" +
			strings.Join(s.sizes, "', '") + "'] else none }}",
		CommandTopic: s.setTopic(wire.SetSize),
		Options:      s.sizes,
		QoS:          qos(wire.KindState, wire.KindSetKey),
	}
}
