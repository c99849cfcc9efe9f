package access

import (
	"strings"

	"camqtt/internal/mqtt"
	"camqtt/internal/wire"
)

// Action is what a client wants to do with a topic.
type Action byte

// The actions.
const (
	Publish   Action = iota // send a message
	Retain                  // have it kept; asked beside Publish or Will
	Will                    // have it sent when one goes without a word
	Receive                 // be handed one message, live, retained or sent again
	Subscribe               // ask for the messages under a filter
	Clear                   // have what is kept removed, by an empty message with the retain flag
)

// String names the action for logs.
func (a Action) String() string {
	names := [...]string{"publish", "retain", "will", "receive", "subscribe", "clear"}
	if int(a) < len(names) {
		return names[a]
	}
	return "unknown action"
}

// Space is where the topics are. The zero value has the defaults of topics.md.
type Space struct {
	Base      wire.Base // "" is cam
	Discovery string    // Home Assistant's prefix; "" is homeassistant
	// Served are the cameras that this process serves itself. No account of a camera or
	// bridge publishes under them.
	Served []wire.ID
}

func (s Space) base() string {
	if s.Base == "" {
		return wire.DefaultBase
	}
	return string(s.Base)
}

func (s Space) discovery() string {
	if s.Discovery == "" {
		return "homeassistant"
	}
	return s.Discovery
}

// Allowed says whether p may do a with a topic or, for [Subscribe], with a filter. It
// is the only place that says so: whatever it does not name is denied. It is asked for
// every message and every receiver, and allocates nothing.
//
// A filter is allowed when a topic falls under it that p may receive: cam/# is, for
// who may see one camera, and brings the topics of that one. A filter under which p may
// receive nothing is denied, which tells people that they have mistyped it.
func (s Space) Allowed(p Principal, a Action, topic string) bool {
	switch {
	case a > Clear || topic == "" || p.Role == Nobody:
		return false
	case a == Subscribe:
		return s.filter(p, topic)
	case a == Clear:
		return s.Allowed(p, Publish, topic) && s.Allowed(p, Retain, topic) || s.deletable(p, topic)
	case topic[0] == '$':
		return a == Receive && p.System() && system(topic)
	case p.unlimited():
		return true
	case p.Role == Reader:
		return a == Receive
	}
	if rest, ok := below(topic, s.base()); ok {
		if rest == hub {
			return a == Receive && p.device()
		}
		id, kind, _ := strings.Cut(rest, "/")
		return camera(p, a, id, sortOf(kind)) && !s.usurps(p, a, id)
	}
	if rest, ok := below(topic, s.discovery()); ok {
		switch p.Role {
		case HomeAssistant:
			return a == Receive || rest == "status"
		case Camera, Bridge:
			return a == Receive && rest == "status"
		}
	}
	return false
}

// deletable reports whether p may remove a discovery message: Home Assistant does so
// when a person deletes a device there. It may not write one, which can define any
// entity.
func (s Space) deletable(p Principal, topic string) bool {
	if p.Role != HomeAssistant {
		return false
	}
	rest, ok := below(topic, s.discovery())
	if !ok {
		return false
	}
	platform, rest, _ := strings.Cut(rest, "/")
	object, rest, _ := strings.Cut(rest, "/")
	key, end, more := strings.Cut(rest, "/")
	switch {
	case platform == "device" && (more || key != "config"):
		return false
	case platform != "device" && (platform == "" || key == "" || end != "config"):
		return false
	}
	if id, is := strings.CutPrefix(object, "camqtt_"); is && p.has(id) {
		return true
	}
	// Bridges and the hub are for all cameras.
	return p.All && (object == "camqtt__hub" || strings.HasPrefix(object, "camqtt-"))
}

// usurps reports whether a camera's account would publish under a camera of this process.
func (s Space) usurps(p Principal, a Action, id string) bool {
	if !p.device() || a == Receive {
		return false
	}
	for _, served := range s.Served {
		if string(served) == id {
			return true
		}
	}
	return false
}

// hub is where the program says, below the base, that it describes cameras to Home
// Assistant, so that they need not [wire.Base.Hub].
const hub = "_hub/discovery"

// device reports whether p is one or more cameras.
func (p Principal) device() bool { return p.Role == Camera || p.Role == Bridge }

// system reports whether a topic or filter is about the broker itself.
func system(topic string) bool { return topic == "$SYS" || strings.HasPrefix(topic, "$SYS/") }

// below gives what comes after prefix and a slash.
func below(topic, prefix string) (rest string, ok bool) {
	if len(topic) <= len(prefix) || topic[len(prefix)] != '/' || topic[:len(prefix)] != prefix {
		return "", false
	}
	return topic[len(prefix)+1:], true
}

// sort is what matters of a kind of topic for rights.
type sort byte

const (
	fromCamera sort = 1 << iota // cameras publish it, the others see it
	kept                        // it may be retained
	will                        // it may be a camera's will
	known                       // a camera reads its own, to notice a second one of its id
	command                     // to cameras: right to view
	setting                     // to cameras: right to operate
)

// sortOf is the table of topics.md; the sort of what is not there is 0.
func sortOf(kind string) sort {
	switch wire.Kind(kind) {
	case wire.KindStatus:
		return fromCamera | kept | will | known
	case wire.KindInfo:
		return fromCamera | kept | known
	case wire.KindState, wire.KindPreview, wire.KindSnapshot, wire.KindMeta, wire.KindMotion:
		return fromCamera | kept
	case wire.KindFrame, wire.KindResult, wire.KindEvent:
		return fromCamera
	case wire.KindStats:
		return fromCamera | known
	case wire.KindCmd:
		return command
	case wire.KindSet:
		return setting
	}
	if key, ok := below(kind, string(wire.KindSet)); ok && key != "" && !strings.Contains(key, "/") {
		return setting
	}
	return 0
}

// camera says what p may do with a topic below a camera's id.
func camera(p Principal, a Action, id string, s sort) bool {
	all := id == wire.All
	switch {
	case all && (s != command || !p.All && len(p.Cameras) == 0), !all && !p.has(id):
		return false
	case p.device():
		switch a {
		case Publish:
			return s&fromCamera != 0
		case Retain:
			return s&kept != 0
		case Will:
			return s&will != 0
		case Receive:
			return s&(command|setting|known) != 0
		}
	case p.Role == Viewer || p.Role == Operator || p.Role == HomeAssistant:
		switch a {
		case Publish, Will:
			// A command to all reaches cameras that are not in a list.
			return s == command && (!all || p.All) || s == setting && p.Role != Viewer
		case Receive:
			return s&fromCamera != 0
		}
	}
	return false
}

// filter says whether p may subscribe to a filter.
func (s Space) filter(p Principal, filter string) bool {
	if _, rest, shared := mqtt.SplitShared(filter); shared {
		filter = rest
	}
	switch {
	case filter == "":
		return false
	case filter[0] == '$':
		return p.System() && system(filter)
	case p.unlimited() || p.Role == Reader:
		return true
	}
	return s.cameraFilter(p, filter) || s.discoveryFilter(p, filter)
}

// discoveryFilter is for topics of Home Assistant.
func (s Space) discoveryFilter(p Principal, filter string) bool {
	rest, under := descend(filter, s.discovery())
	switch p.Role {
	case HomeAssistant:
		return under
	case Camera, Bridge:
		return under && meet(rest, "status")
	}
	return false
}

// cameraFilter is for topics of cameras.
func (s Space) cameraFilter(p Principal, filter string) bool {
	rest, under := descend(filter, s.base())
	if !under || !p.All && len(p.Cameras) == 0 {
		return false
	}
	id, kind, more := strings.Cut(rest, "/")
	if id == "#" {
		return true
	}
	device := p.device()
	switch {
	case device && meet(rest, hub):
		return true
	case !more:
		return false
	case id == wire.All:
		return device && meet(kind, string(wire.KindCmd))
	case id != "+" && !p.has(id):
		return false
	}
	for _, k := range [...]wire.Kind{
		wire.KindStatus, wire.KindInfo, wire.KindState, wire.KindFrame, wire.KindPreview, wire.KindSnapshot, wire.KindMeta,
		wire.KindResult, wire.KindEvent, wire.KindMotion, wire.KindStats, wire.KindCmd, wire.KindSet, "set/+",
	} {
		sees := fromCamera
		if device {
			sees = command | setting | known
		}
		if sortOf(string(k))&sees != 0 && meet(kind, string(k)) {
			return true
		}
	}
	return false
}

// descend takes the levels of prefix off a filter that can match something below it.
// What remains is "#" when that covers everything.
func descend(filter, prefix string) (rest string, ok bool) {
	for {
		f, fRest, fMore := strings.Cut(filter, "/")
		if f == "#" {
			return "#", true
		}
		p, pRest, pMore := strings.Cut(prefix, "/")
		if f != "+" && f != p || !fMore {
			return "", false
		}
		if !pMore {
			return fRest, true
		}
		filter, prefix = fRest, pRest
	}
}

// meet reports whether a topic falls under both of two filters. [MQTT-4.7.1-2],
// [MQTT-4.7.1-3]
func meet(a, b string) bool {
	for {
		la, ra, ma := strings.Cut(a, "/")
		lb, rb, mb := strings.Cut(b, "/")
		switch {
		case la == "#" || lb == "#":
			return true
		case la != lb && la != "+" && lb != "+":
			return false
		case !ma && !mb:
			return true
		case !ma:
			return rb == "#" // the parent level belongs to "#"
		case !mb:
			return ra == "#"
		}
		a, b = ra, rb
	}
}
